# Rscript peers.R, in this folder, writes peers.json: fits of outcomes.csv by flexmix, whose model
# is a list with one driver for each outcome. R 4.2, flexmix 2.3-18.
#
# flexmix's Gaussian driver divides by n - p inside the M-step; the maximum likelihood M-step is put
# in its place.
suppressPackageStartupMessages(library(flexmix))

ml_gaussian <- function(formula) {
  driver <- FLXMRglm(formula, family = "gaussian")
  driver@fit <- function(x, y, w, component) {
    fit <- lm.wfit(x, y, w)
    rss <- sum(w * fit$residuals^2)
    driver@defineComponent(list(coef = coef(fit), df = ncol(x) + 1, sigma = sqrt(rss / sum(w))))
  }
  driver
}

data <- read.csv("outcomes.csv")
models <- function() list(
  ml_gaussian(bp ~ age),
  FLXMRglm(visits ~ age + I(age^2), family = "poisson"),
  FLXMRglm(cbind(smokes, 1 - smokes) ~ 1, family = "binomial"))
control <- list(tolerance = 1e-17, iter.max = 5000, minprior = 0)
number <- function(x) paste0("[", paste(sprintf("%.12g", unlist(x)), collapse = ", "), "]")

described <- function(name, formula, start) {
  fit <- flexmix(formula, data = data, cluster = start, model = models(), control = control)
  first <- if (grepl("id", deparse(formula))) !duplicated(data$id) else rep(TRUE, nrow(data))
  part <- function(m, k) number(parameters(fit, component = k, model = m))
  component <- function(k) sprintf('{"bp": %s, "visits": %s, "smokes": %s}',
                                   part(1, k), part(2, k), part(3, k))
  sprintf('"%s": {"llf": %.12g, "prior": %s, "components": [%s, %s], "posterior": %s}', name,
          as.numeric(logLik(fit)), number(prior(fit)), component(1), component(2),
          number(posterior(fit)[first, 1]))
}

# From persons, or rows, by their number of visits.
by_person <- ifelse(ave(data$visits, data$id) > 2.2, 1, 2)
by_row <- ifelse(data$visits > 2, 1, 2)
lines <- c(described("groups", . ~ . | id, by_person), described("rows", . ~ ., by_row))
writeLines(c("{", paste(lines, collapse = ",\n"), "}"), "peers.json")
