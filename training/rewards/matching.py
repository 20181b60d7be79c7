"""Which prediction is compared with which instance: the best one-to-one assignment."""

from math import fsum

import numpy as np
import numpy.typing as npt


def matched(scores: npt.NDArray[np.float64]) -> float:
    """Return the best sum of scores (M, N) over one-to-one pairs, divided by max(M, N).

    VisionReasoner's and StAR's Hungarian matching: each of M predictions is paired with at most one of N instances so
    that the sum is largest; what is missing or too many costs by the divisor. Of several best assignments any has the
    same sum, so the order of the predictions does not count. 0 when there is neither prediction nor instance.

    >>> matched(np.array([[3.0, 2.0], [2.0, 0.0]]))
    2.0
    """
    from scipy.optimize import linear_sum_assignment

    if not scores.size:
        return 0.0
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return float(fsum(scores[rows, columns]) / max(scores.shape))
