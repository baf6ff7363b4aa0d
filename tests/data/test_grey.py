"""Pictures are brought to one size by area, so that every pixel counts as much as another, or refused."""

import numpy as np
import pytest

from jaxgru.data import DataError
from jaxgru.data.grey import Shrink, Size, fitted, shares, size_for


class TestShrinking:
    def test_by_a_whole_number_it_is_the_mean_of_blocks(self) -> None:
        picture = np.random.default_rng(0).random((12, 20), np.float32)
        small = Shrink(Size(12, 20), Size(4, 5))(picture)
        np.testing.assert_allclose(small, picture.reshape(4, 3, 5, 4).mean((1, 3)), rtol=1e-6)

    @pytest.mark.parametrize(("before", "after"), [(144, 48), (176, 58), (7, 7), (5, 3), (10, 1)])
    def test_every_pixel_counts_as_much_as_another(self, before: int, after: int) -> None:
        weights = shares(before, after)
        assert (weights.sum(1) == before).all()
        assert (weights.sum(0) == after).all()
        assert ((weights > 0).sum(1) <= np.ceil(before / after) + 1).all()

    @pytest.mark.parametrize("white", [255, 65535])
    def test_no_bit_depends_on_the_order_of_sums(self, white: int) -> None:
        """Which every machine chooses for itself: turned round, a picture is added up backwards."""
        levels = np.random.default_rng(0).integers(0, white + 1, (144, 176))
        picture, shrink = levels.astype(np.float32) / np.float32(white), Shrink(Size(144, 176), Size(49, 58))
        np.testing.assert_array_equal(shrink(picture[::-1, ::-1]), shrink(picture)[::-1, ::-1])

    def test_none_is_made_larger(self) -> None:
        with pytest.raises(DataError, match=r"^pictures of 20 × 12, and 16 × 16 are asked for$"):
            Shrink(Size(12, 20), Size(16, 16))

    def test_a_side_follows_from_the_shape(self) -> None:
        assert size_for(Size(272, 640), 34, 0, 2) == (34, 80)
        assert size_for(Size(272, 640), 0, 80, 2) == (34, 80)
        assert size_for(Size(272, 640), 48, 48, 2) == (48, 48)
        with pytest.raises(
            DataError, match=r"^pictures of 10 × 900 would become 0 × 40; a side needs 16 pixels$"
        ):
            size_for(Size(900, 10), 40, 0, 2)


class TestFitting:
    def test_a_multiple_is_brought_down_by_means(self) -> None:
        grey = np.random.default_rng(0).integers(0, 256, (2, 3)).astype(np.float32) / np.float32(255)
        np.testing.assert_allclose(fitted(np.kron(grey, np.ones((4, 4))), Size(2, 3)), grey, atol=1e-6)
        np.testing.assert_array_equal(fitted(grey, Size(2, 3)), grey)

    @pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 4), (1, 3), (5, 6)])
    def test_another_size_is_refused(self, shape: tuple[int, int]) -> None:
        with pytest.raises(DataError) as error:
            fitted(np.zeros(shape, np.float32), Size(2, 3))
        mend = "crop it, and bring it to that or to a multiple, such as 30 × 20"
        assert str(error.value) == f"{shape[1]} × {shape[0]} pixels, and the model reads 3 × 2: {mend}"
