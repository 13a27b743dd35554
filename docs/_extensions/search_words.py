"""What users search for, and the section that answers it: main entries of the index.

The documentation's own search finds words, and ranks a heading that has them first. A question is
seldom put in the words of the heading that answers it; an entry of the index comes before all else.
"""

from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

#: Page and heading (as in a link; none is the page) to phrases, in small letters.
WORDS = {
    "guide/how_many": (
        "how many components", "number of components", "choose k", "number of clusters",
        "number of classes", "how many classes", "model selection",
    ),
    "guide/how_many#information-criteria": ("bic", "aic", "icl", "information criterion"),
    "guide/how_many#tests": ("bootstrap likelihood ratio test", "blrt", "lo-mendell-rubin test"),
    "guide/precision": ("standard errors", "confidence intervals"),
    "guide/precision#other-covariances": (
        "robust standard errors", "robust errors", "robust", "clustered standard errors",
        "sandwich", "cluster-robust errors", "heteroskedasticity", "heteroscedasticity",
    ),
    "guide/precision#bootstrap": ("bootstrap", "bootstrap standard errors"),
    "guide/precision#profile-likelihood": ("profile likelihood confidence intervals",),
    "guide/tests": ("wald tests", "hypothesis tests"),
    "guide/tests#hypotheses-by-name": (
        "equality test", "test equality of coefficients", "test equality", "compare coefficients",
        "equal slopes", "difference between components", "test coefficients across components",
    ),
    "guide/tests#restrictions": ("constraints", "constrain coefficients", "restrict coefficients"),
    "guide/prediction": ("prediction", "predict new data", "forecast", "fitted values"),
    "guide/prediction#intervals": ("prediction intervals",),
    "guide/prediction#effects": ("marginal effects", "average marginal effects"),
    "guide/reporting#saving": (
        "save", "load", "save a model", "save model", "save results", "load a model", "pickle",
        "json",
    ),
    "guide/reporting#tables": (
        "latex", "latex table", "publication table", "export to latex", "summary_col", "stargazer",
        "broom", "modelsummary", "great_tables", "tidy data frame",
    ),
    "guide/model#repeated-measures-groups": (
        "repeated measures", "panel", "panel data", "groups", "longitudinal data",
        "clustered data",
    ),
    "guide/model#values-that-are-known": (
        "fix a coefficient", "fix coefficient", "fixed coefficients", "fix a parameter",
        "hold a parameter",
    ),
    "guide/model#coefficients-that-all-components-share": (
        "common coefficients", "shared coefficients", "same coefficient in all components",
    ),
    "guide/model#who-belongs-where-depends-on-z": (
        "concomitant variables", "covariates of class membership", "mixture of experts",
        "latent class membership regression", "gating",
    ),
    "guide/model": ("latent class regression", "formula"),
    "guide/model#weights": ("weights", "survey weights", "sampling weights"),
    "guide/model#rows": ("missing values", "missing data", "nan"),
    "guide/membership": ("latent class", "class membership", "posterior probabilities", "cluster"),
    "guide/checking": ("outliers", "residuals", "diagnostics", "goodness of fit"),
    "guide/checking#single-cases": ("influential observations", "cook's distance"),
    "guide/families": (
        "poisson", "count data", "logistic regression", "binary response", "overdispersion",
        "robust regression", "heavy tails", "survival", "zero inflation",
    ),
    "guide/families#known-errors-of-the-response": (
        "meta-analysis", "meta-regression", "known error variances", "measurement errors",
        "error bars",
    ),
    "guide/maximum": ("local maximum", "convergence", "starting values", "random starts"),
    "guide/maximum#the-numbers-of-the-components": ("label switching", "order of components"),
    "guide/trajectories": (
        "trajectories", "group-based trajectory model", "latent class growth analysis",
    ),
    "guide/command_line": ("command line", "csv", "shell"),
    "guide/scikit_learn": ("cross-validation", "grid search", "pipeline", "estimator"),
    "large_data": ("big data", "larger than memory", "out of core", "parquet", "dask"),
    "coming_from/flexmix": ("flexmix", "stepflexmix"),
    "coming_from/stata": ("stata", "fmm"),
    "coming_from/mixtools": ("mixtools", "regmixem"),
}  # fmt: skip


class SearchWords(SphinxTransform):
    """Puts the entries of a page before its text."""

    default_priority = 100  # before the index is read from the tree

    def apply(self, **options):
        entries = []
        for place, phrases in WORDS.items():
            page, _, anchor = place.partition("#")
            if page == self.env.docname:
                entries += [("single", phrase, anchor, "main", None) for phrase in phrases]
        if entries:
            self.document.insert(0, addnodes.index(entries=entries))


def setup(app: Sphinx):
    app.add_transform(SearchWords)
    return {"parallel_read_safe": True, "version": "1"}
