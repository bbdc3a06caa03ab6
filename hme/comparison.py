"""Comparison of fitted models: information criteria and likelihood-ratio tests."""

from .inference.comparison import LikelihoodRatioTest, aicc, icl, likelihood_ratio_test

__all__ = ["LikelihoodRatioTest", "aicc", "icl", "likelihood_ratio_test"]
