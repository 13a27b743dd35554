# Timings of flexmix and mixtools, one per line of standard input, on data read from a file.
#
#   load PATH n p k        columns of y, x (n x p, a constant first) as float64, then labels 1..k
#   flexmix_iteration m    seconds of one of m further iterations from the labels
#   mixtools_iteration m   the same for regmixEM, from the least squares of the labels
#   flexmix_fit seed       one default fit from one random start
#   step_flexmix seed      the best of ten such fits
#
# Each answer is one line: elapsed seconds, seconds of the processor, iterations made.

suppressPackageStartupMessages({
  library(flexmix)
  library(mixtools)
})

load_data <- function(path, n, p, k) {
  values <- readBin(path, "double", n * (p + 2))
  y <- values[1:n]
  x <- matrix(values[n + 1:(n * p)], n, p)
  label <- as.integer(values[n * (p + 1) + 1:n])
  data <- data.frame(y, x[, -1, drop = FALSE])
  names(data) <- c("y", paste0("x", seq_len(p - 1)))
  fit <- lapply(1:k, function(j) lm.fit(x[label == j, , drop = FALSE], y[label == j]))
  list(
    data = data, x = x[, -1, drop = FALSE], y = y, label = label, k = k,
    formula = reformulate(names(data)[-1], "y"),
    beta = sapply(fit, coef), sigma = sapply(fit, function(f) sd(residuals(f)))
  )
}

timed <- function(expression) {
  gc(FALSE)
  time <- system.time(result <- expression, gcFirst = FALSE)
  list(time = c(time[["elapsed"]], time[["user.self"]] + time[["sys.self"]]), result = result)
}

flexmix_run <- function(d, iterations) {
  timed(flexmix(
    d$formula, data = d$data, k = d$k, cluster = d$label,
    control = list(iter.max = iterations, tolerance = 0, minprior = 0)
  ))$time
}

mixtools_run <- function(d, iterations) {
  timed(suppressWarnings(capture.output(regmixEM(
    d$y, d$x, k = d$k, beta = d$beta, sigma = d$sigma, lambda = rep(1 / d$k, d$k),
    epsilon = 0, maxit = iterations
  ))))$time
}

per_iteration <- function(run, d, iterations) {
  c((run(d, 1 + iterations) - run(d, 1)) / iterations, iterations)
}

flexmix_fit <- function(d, seed) {
  set.seed(seed)
  done <- timed(flexmix(d$formula, data = d$data, k = d$k))
  c(done$time, done$result@iter)
}

step_flexmix <- function(d, seed) {
  set.seed(seed)
  done <- timed(stepFlexmix(d$formula, data = d$data, k = d$k, nrep = 10, verbose = FALSE))
  c(done$time, done$result@iter)
}

blas <- basename(extSoftVersion()[["BLAS"]])
cat(sprintf(
  "R %s, flexmix %s, mixtools %s, %s\n", getRversion(),
  packageVersion("flexmix"), packageVersion("mixtools"), blas
))
input <- file("stdin", "r")
while (length(line <- readLines(input, 1)) > 0) {
  word <- strsplit(line, " ")[[1]]
  number <- suppressWarnings(as.numeric(word))
  answer <- switch(word[1],
    load = {
      d <- load_data(word[2], number[3], number[4], number[5])
      numeric(3)
    },
    flexmix_iteration = per_iteration(flexmix_run, d, number[2]),
    mixtools_iteration = per_iteration(mixtools_run, d, number[2]),
    flexmix_fit = flexmix_fit(d, number[2]),
    step_flexmix = step_flexmix(d, number[2])
  )
  cat(sprintf("%.6f %.6f %d\n", answer[1], answer[2], as.integer(answer[3])))
}
