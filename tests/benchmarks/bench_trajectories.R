# One start of four quadratic trajectories; arguments: package, path of the data. Prints the
# seconds of processor time and the log-likelihood, or "missing" where the package is not there.
arguments <- commandArgs(trailingOnly = TRUE)
package <- arguments[1]
if (!suppressWarnings(requireNamespace(package, quietly = TRUE))) {
  cat("missing\n")
  quit()
}
suppressPackageStartupMessages(library(package, character.only = TRUE))
data <- read.csv(arguments[2])
set.seed(1)
clock <- function(expression) {
  time <- system.time(value <- expression)
  list(seconds = time[["user.self"]] + time[["sys.self"]], value = value)
}
if (package == "lcmm") {
  one <- hlme(y ~ t + I(t^2), random = ~-1, subject = "id", data = data, verbose = FALSE)
  done <- clock(hlme(
    y ~ t + I(t^2), mixture = ~ t + I(t^2), random = ~-1, subject = "id", ng = 4, data = data,
    B = random(one), verbose = FALSE
  ))
  loglik <- done$value$loglik
} else if (package == "gbmt") {
  done <- clock(gbmt("y", unit = "id", time = "t", ng = 4, d = 2, data = data, scaling = 0,
                     quiet = TRUE))
  loglik <- as.numeric(done$value$logLik)
} else {
  done <- clock(flexmix(y ~ t + I(t^2) | id, data = data, k = 4))
  loglik <- as.numeric(logLik(done$value))
}
cat(sprintf("%.3f %.6f\n", done$seconds, loglik))
