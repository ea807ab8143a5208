"""`heap models` and `heap doctor`: what there is, and what this machine has."""

from rich.table import Table

from heap.cli.app import out_console


def models() -> None:
    """List the encoders that have a short name, and whether they are on this machine."""
    from heap.encoder.registry import CARDS, is_local

    table = Table("alias", "family", "params", "patch", "dim", "licence", "here", box=None)
    for card in CARDS.values():
        here = "yes" if is_local(card) else "no"
        size = f"{card.parameters:g} M"
        table.add_row(
            card.alias, card.family, size, str(card.patch), str(card.dim), card.licence, here
        )
    out_console.print(table)


def doctor(*, network: bool = False) -> int:
    """Check what this machine has: torch, bf16, codecs, weights, cache.

    Args:
        network: Also ask whether the hub can be reached.
    """
    from heap.doctor import check

    findings = check(network)
    table = Table("", "what", "found", "what to do")
    for each in findings:
        table.add_row("ok" if each.ok else "!!", each.what, each.value, each.hint)
    out_console.print(table)
    return 0 if all(each.ok for each in findings) else 1
