# Fits four classic data sets with flexmix and mixtools and writes what they report to peers.json.
# Run in this folder:  Rscript peers.R
#
# flexmix's Gaussian driver divides by n - p inside the M-step, so its own fit lies a little below
# the maximum of the likelihood. It is run twice: as it comes ("flexmix"), and with the maximum
# likelihood M-step put in its place ("flexmix_ml"), the engine, information criteria, posteriors
# and refit() staying flexmix's own. mixtools' regmixEM is maximum likelihood as it comes.
suppressPackageStartupMessages({
  library(flexmix)
  library(mixtools)
  library(jsonlite)
})

ml_gaussian <- function() {
  driver <- FLXMRglm(family = "gaussian")
  driver@fit <- function(x, y, w, component) {
    fit <- lm.wfit(x, y, w)
    rss <- sum(w * fit$residuals^2)
    driver@defineComponent(list(coef = coef(fit), df = ncol(x) + 1, sigma = sqrt(rss / sum(w))))
  }
  driver
}

report <- function(fit) {
  covered <- refit(fit)
  list(
    loglik = as.numeric(logLik(fit)), df = attr(logLik(fit), "df"),
    aic = AIC(fit), bic = BIC(fit), icl = ICL(fit), eic = EIC(fit),
    prior = prior(fit), size = as.integer(table(factor(clusters(fit), seq_len(fit@k)))),
    terms = rownames(parameters(fit)), parameters = unname(parameters(fit)),
    refit_names = names(covered@coef), refit = unname(covered@coef),
    refit_se = unname(sqrt(diag(covered@vcov)))
  )
}

# `cluster` gives the starting partition (or posterior probabilities).
peers <- function(formula, data, cluster) {
  control <- list(tolerance = 1e-18, iter.max = 5000, minprior = 0)
  driver <- FLXMRglm(family = "gaussian")
  plain <- flexmix(formula, data, cluster = cluster, model = driver, control = control)
  exact <- flexmix(formula, data, cluster = cluster, model = ml_gaussian(), control = control)

  x <- model.matrix(formula, data)
  y <- model.response(model.frame(formula, data))
  at <- parameters(exact)
  capture.output(other <- regmixEM(
    y, x,
    addintercept = FALSE, k = 2, lambda = prior(exact),
    beta = at[-nrow(at), ], sigma = at[nrow(at), ], epsilon = 1e-14, maxit = 5000
  ))
  list(
    n = nrow(data), flexmix = report(plain), flexmix_ml = report(exact),
    posterior_first = unname(posterior(exact)[, 1]),
    mixtools = list(
      loglik = other$loglik, lambda = other$lambda, beta = unname(other$beta),
      sigma = other$sigma, posterior_first = unname(other$posterior[, 1])
    )
  )
}

best <- function(formula, data, n_starts = 30) {
  set.seed(20)
  runs <- lapply(seq_len(n_starts), function(i) {
    try(flexmix(formula, data, k = 2, model = ml_gaussian(), control = list(minprior = 0)),
      silent = TRUE)
  })
  runs <- Filter(function(run) !inherits(run, "try-error"), runs)
  clusters(runs[[which.max(sapply(runs, function(run) as.numeric(logLik(run))))]])
}

# On the tone data flexmix's random starts never reach the highest mode: a sharp line y = x inside
# a wide cloud. This is that picture, drawn by hand.
sharp_line <- function(data) {
  joint <- cbind(
    0.4 * dnorm(data$tuned, data$stretchratio, 0.005),
    0.6 * dnorm(data$tuned, 1.6 + 0.2 * data$stretchratio, 0.2)
  )
  joint / rowSums(joint)
}

read <- function(name) read.csv(file.path("..", "data", paste0(name, ".csv")))
npreg <- read("NPreg")
tone <- read("tonedata")
co2 <- read("CO2data")
engel <- read("engel")

cases <- list(
  npreg_k2 = peers(yn ~ x + I(x^2), npreg, best(yn ~ x + I(x^2), npreg)),
  tonedata_k2 = peers(tuned ~ stretchratio, tone, sharp_line(tone)),
  co2_k2 = peers(CO2 ~ GNP, co2, best(CO2 ~ GNP, co2)),
  engel_k2 = peers(foodexp ~ income, engel, best(foodexp ~ income, engel))
)
versions <- sapply(c("flexmix", "mixtools"), function(name) as.character(packageVersion(name)))
record <- list(
  written_by = "peers.R", R = as.character(getRversion()), versions = as.list(versions),
  cases = cases
)
writeLines(toJSON(record, digits = NA, auto_unbox = TRUE), "peers.json")
