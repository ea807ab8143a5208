from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from PIL import Image

from heap.base.errors import InputError
from heap.benchmark.results import Results
from heap.benchmark.tables import Table, make_tables
from heap.benchmark.tables.charts import draw_table, write_charts

from . import made

FOUND = "saliency-found-v1"
WHOLE = made.data("ECSSD", images=1000)


def results() -> list[Results]:
    """One seed of one method and three of another, on a data set with published figures."""
    encoder = made.encoder("dino-vits8")
    single = made.results({FOUND: made.metrics(iou=(0.6, 0.5, 0.65))}, encoder=encoder, data=WHOLE)
    seeds = [
        made.results(
            {FOUND: made.metrics(iou=iou)},
            encoder=encoder, data=WHOLE, method=made.method("heap", seed),
        )
        for seed, iou in enumerate((0.7, 0.8, 0.9))
    ]  # fmt: skip
    return [single, *seeds]


def measured(everything: list[Results]) -> Table:
    (found,) = (each for each in make_tables(everything) if each.name == "saliency-ECSSD")
    return found


def bars(axes: Axes) -> list[BarContainer]:
    return [each for each in axes.containers if isinstance(each, BarContainer)]


def panel(figure: Figure, heading: str) -> Axes:
    (found,) = (axes for axes in figure.axes if axes.get_title().split("\n")[0] == heading)
    return found


class TestFigure:
    def test_bars_are_as_long_as_the_values(self) -> None:
        iou = panel(draw_table(measured(results())), "IoU")
        assert [each[0].get_width() for each in bars(iou)] == pytest.approx([60, 80, 80.7])
        assert iou.get_title().split("\n")[1] == FOUND

    def test_whiskers_are_interval_or_deviation(self) -> None:
        containers = panel(draw_table(measured(results())), "IoU").containers
        ends = [
            each.lines[2][0].get_segments()[0][:, 0].tolist()
            for each in containers
            if isinstance(each, ErrorbarContainer)
        ]
        assert ends == [pytest.approx([50, 65]), pytest.approx([70, 90])]

    def test_what_is_published_is_hatched_and_lighter(self) -> None:
        tokencut, heap, found = (
            each[0] for each in bars(panel(draw_table(measured(results())), "IoU"))
        )
        assert [each.get_hatch() for each in (tokencut, heap, found)] == [None, None, "///"]
        assert [each.get_alpha() for each in (tokencut, heap)] == [None, None]
        assert 0 < found.get_alpha() < 0.5
        legend = draw_table(measured(results())).legends[0]
        assert [each.get_text() for each in legend.get_texts()] == ["dino-vits8", "published"]

    def test_methods_are_named_in_the_middle_of_their_bars(self) -> None:
        both = [
            made.results({FOUND: made.metrics(iou=0.5)}, encoder=made.encoder(encoder),
                         method=made.method(name), data=WHOLE)
            for encoder in ("tiny", "big") for name in ("lost", "heap")
        ]  # fmt: skip
        axes = draw_table(measured(both)).axes[0]
        assert [each.get_text() for each in axes.get_yticklabels()] == ["lost", "heap"]
        places = [each[0].get_y() + each[0].get_height() / 2 for each in bars(axes)]
        assert places == pytest.approx([0, 1, 2.5, 3.5])
        assert axes.get_yticks().tolist() == pytest.approx([0.5, 3])
        colours = [each[0].get_facecolor() for each in bars(axes)]
        assert colours[0] == colours[2] != colours[1] == colours[3]

    def test_every_column_has_a_panel(self) -> None:
        names = ("AP", "AP50", "AP75", "AR1", "AR10", "AR100")
        one = made.results({"ap-box-v1": made.metrics(**dict.fromkeys(names, 0.5))})
        (found,) = (each for each in make_tables([one]) if each.name == "discovery-half")
        figure = draw_table(found)
        assert [axes.get_title().split("\n")[0] for axes in figure.axes if axes.axison] == [*names]


class TestFiles:
    def test_there_is_a_picture_of_each_table(self, tmp_path: Path) -> None:
        which = ["retrieval", "cost"]
        written = write_charts(results(), tmp_path / "figures", which)
        tables = make_tables(results(), which)
        assert [path.stem for path in written] == [each.name for each in tables]
        assert sorted((tmp_path / "figures").iterdir()) == sorted(written)
        for path in written:
            with Image.open(path) as picture:
                assert picture.format == "PNG"
                assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
                assert picture.width > 500

    def test_the_same_results_give_the_same_bytes(self, tmp_path: Path) -> None:
        one, other = (
            write_charts(results(), tmp_path / name, ["cost"])[0].read_bytes() for name in "ab"
        )
        assert one == other

    @pytest.mark.parametrize("label", ["$x_$y", "日本/..\\語", "a" * 300, "-"])
    def test_any_label_can_be_drawn_and_named(self, label: str, tmp_path: Path) -> None:
        one = made.results(
            {FOUND: made.metrics(iou=0.5)}, method=made.method("m", label=label),
            encoder=made.encoder(label), data=made.data(label[:80]),
        )  # fmt: skip
        written = write_charts([one], tmp_path / "figures", ["cost"])
        assert [path.parent for path in written] == [tmp_path / "figures"]
        assert written[0].is_file()

    def test_tables_of_one_name_get_several_files(self, tmp_path: Path) -> None:
        both = [
            made.results({FOUND: made.metrics(iou=0.5)}, data=made.data(label, sha=sha * 16))
            for label, sha in (("half", "a"), ("HALF", "b"), ("half", "c"))
        ]
        written = write_charts(both, tmp_path, ["cost"])
        assert [path.name for path in written] == ["cost-half.png", "cost-HALF-2.png",
                                                   "cost-half-3.png"]  # fmt: skip

    def test_a_folder_that_cannot_be_written_to(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match="cannot be written"):
            write_charts(results(), tmp_path / "file", ["cost"])
