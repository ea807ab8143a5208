"""`heap models` and `heap doctor`: encoders, and the state of this machine."""

from dataclasses import asdict

from cyclopts import App

from heap.cli.app import err_console, out_console
from heap.cli.printing import AsJson, print_json, print_table

models = App(name="models", help="List the encoders with a short name, or get one.", sort_key=16.5)


@models.default
def list_models(*, as_json: AsJson = False) -> None:
    """List the encoders that have a short name, and whether they are on this machine.

    Wherever a command takes one of these, it takes owner/name on the hub, a folder as transformers
    saves it (a classifier is used without its head), and an original .pth file of DINO or DINOv2.

    Example: heap models get dinov2-vits14

    Args:
        as_json: Print them as JSON on standard output.
    """
    from heap.encoder.registry import CARDS, is_local

    about = [
        {
            "alias": card.alias, "family": card.family, "parameters": f"{card.parameters:g} M",
            "patch": card.patch, "dim": card.dim, "licence": card.licence, "here": is_local(card),
        }
        for card in CARDS.values()
    ]  # fmt: skip
    if as_json:
        print_json(about)
        return
    rows = [{**model, "here": "yes" if model["here"] else "no"} for model in about]
    print_table(list(about[0]), [list(map(str, row.values())) for row in rows])


@models.command
def get(name: str, /) -> None:
    """Bring an encoder from the Hugging Face hub to this machine, once.

    Says its licence first. A download that was stopped goes on; what has come is compared with the
    hash that the hub states. The files are where all programs of the hub look for them.

    Example: heap models get dinov2-vits14

    Args:
        name: Alias (`heap models`), or owner/name on the hub.
    """
    from heap.encoder import getting

    out_console.print(getting.describe_terms(name))
    got = getting.get_encoder(name)
    came = "fetched to" if got.fresh else "is here already, in"
    out_console.print(f"{name} {came} {got.folder}, {got.megabytes:.0f} MB")
    err_console.print(f"Use it: heap discover IMAGES --encoder {name} --out run")


def hint_at_stronger(encoder: str) -> None:
    """Say in one line that a stronger encoder than this one is on the machine, if there is one."""
    from heap.encoder.getting import stronger_than

    card = stronger_than(encoder)
    if card is not None:
        err_console.print(
            f"{card.alias}, {card.parameters:g} M parameters, is on this machine too and knows "
            f"more than {encoder}: --encoder {card.alias} uses it, at its own speed",
        )


def doctor(*, network: bool = False, speed: bool = False, as_json: AsJson = False) -> int:
    """Check what this machine has: torch, bf16, codecs, weights, cache.

    Args:
        network: Also ask whether the hub can be reached.
        speed: Also measure how long torch and OpenVINO take for a photo; half a minute.
        as_json: Print what was found as JSON on standard output.
    """
    from heap.doctor import check

    findings = check(network, speed)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = [
            ("ok" if finding.ok else "!!", finding.what, finding.value, finding.hint)
            for finding in findings
        ]
        print_table(("state", "what", "found", "what to do"), rows)
    return 0 if all(finding.ok for finding in findings) else 1
