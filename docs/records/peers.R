# What flexmix and mixtools do where they go wrong, recorded for the page on their defects.
# Run in this folder:  Rscript peers.R
suppressPackageStartupMessages({
  library(flexmix)
  library(mixtools)
  library(jsonlite)
})

data <- file.path("..", "..", "tests", "reference", "data")
npreg <- read.csv(file.path(data, "NPreg.csv"))
tone <- read.csv(file.path(data, "tonedata.csv"))
quiet <- function(code) {
  capture.output(value <- suppressWarnings(try(code, silent = TRUE)))
  value
}
message_of <- function(value) trimws(sub("^Error.*: *\n? *", "", as.character(value)))

record <- list(
  R = as.character(getRversion()),
  versions = list(
    flexmix = as.character(packageVersion("flexmix")),
    mixtools = as.character(packageVersion("mixtools"))
  )
)

# flexmix divides by n - p in its M-step: neither its logLik nor its sigma are at the maximum.
set.seed(1)
fit <- flexmix(yn ~ x + I(x^2), npreg, k = 2)
again <- refit(fit)
record$m_step <- list(
  loglik = as.numeric(logLik(fit)), sigma = unname(parameters(fit)["sigma", ]),
  refit_sigma = unname(exp(again@coef[grep("sigma", names(again@coef))]))
)

# flexmix drops components whose prior falls below 0.05: here 18 of 400 rows (4.5 %) lie on a line of
# their own, far from both others. small_component.csv is simulated.
small <- read.csv("small_component.csv")
asked <- lapply(1:10, function(seed) {
  set.seed(seed)
  flexmix(y ~ x, small, k = 3)
})
record$dropped <- list(
  asked = 3, got = sapply(asked, function(fit) fit@k),
  loglik = max(sapply(asked, function(fit) as.numeric(logLik(fit))))
)

# flexmix and a missing response, and weights that are no whole numbers.
holes <- npreg
holes$yn[3] <- NA
record$missing <- message_of(quiet(flexmix(yn ~ x, holes, k = 2)))
npreg$w <- rep(c(0.5, 1.5), 100)
record$weights <- message_of(quiet(flexmix(yn ~ x, npreg, k = 2, weights = ~w)))

# Single default runs on the tone data: the log-likelihoods at which they end.
ends <- function(run) sort(round(sapply(1:30, function(seed) {
  set.seed(seed)
  run()
}), 4))
record$tone <- list(
  flexmix = ends(function() as.numeric(logLik(flexmix(tuned ~ stretchratio, tone, k = 2)))),
  mixtools = ends(function() {
    fit <- quiet(regmixEM(tone$tuned, tone$stretchratio, k = 2))
    if (inherits(fit, "try-error")) NA else fit$loglik
  })
)

# mixtools: lambda and the columns of the posterior disagree when only the variances differ.
set.seed(2)
scale <- quiet(regmixEM(tone$tuned, tone$stretchratio, k = 2, arbmean = FALSE))
record$order <- list(
  lambda = scale$lambda, mean_posterior = unname(colMeans(scale$posterior)), loglik = scale$loglik
)

# mixtools: choosing k. For one component it takes the logarithm of a product of densities.
set.seed(1)
long <- npreg[rep(1:200, 2), ]
long$noise <- rnorm(400, 3, 50)
chosen <- quiet(regmixmodel.sel(long$x, long$noise, k = 2))
record$selection <- list(bic_k1 = as.character(chosen["BIC", "1"]), winner = chosen["BIC", "Winner"])

writeLines(toJSON(record, digits = NA, auto_unbox = TRUE, pretty = TRUE), "peers.json")
