"""`heap models` and `heap doctor`: what there is, and what this machine has."""

from dataclasses import asdict

from heap.cli.printing import AsJson, print_json, print_table


def models(*, as_json: AsJson = False) -> None:
    """List the encoders that have a short name, and whether they are on this machine.

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
    rows = [{**each, "here": "yes" if each["here"] else "no"} for each in about]
    print_table(list(about[0]), [list(map(str, row.values())) for row in rows])


def doctor(*, network: bool = False, as_json: AsJson = False) -> int:
    """Check what this machine has: torch, bf16, codecs, weights, cache.

    Args:
        network: Also ask whether the hub can be reached.
        as_json: Print what was found as JSON on standard output.
    """
    from heap.doctor import check

    findings = check(network)
    if as_json:
        print_json([asdict(each) for each in findings])
    else:
        rows = [("ok" if each.ok else "!!", each.what, each.value, each.hint) for each in findings]
        print_table(("state", "what", "found", "what to do"), rows)
    return 0 if all(each.ok for each in findings) else 1
