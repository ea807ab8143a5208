import torch
from benchmarks.studies.outliers import mend

from heap.features.describe import PatchFeatures


def test_an_outlier_becomes_the_mean_of_the_patches_around_it() -> None:
    patches = torch.arange(12.0).reshape(12, 1)  # a grid of three rows and four columns
    image = PatchFeatures(patches, torch.zeros(1, 12), None, (3, 4))
    outlying = torch.zeros(12, dtype=torch.bool)
    outlying[[5, 6, 0]] = True
    mended = mend(image, outlying).patches[:, 0]
    kept = ~outlying
    assert torch.equal(mended[kept], patches[kept, 0])
    # Around 5 are 0, 1, 2, 4, 6, 8, 9 and 10, of which 0 and 6 are outliers themselves.
    assert mended[5] == torch.tensor([1.0, 2, 4, 8, 9, 10]).mean()
    # The corner has three patches around it: 1, 4 and 5.
    assert mended[0] == torch.tensor([1.0, 4]).mean()
    assert torch.equal(mend(image, torch.ones(12, dtype=torch.bool)).patches, patches)
