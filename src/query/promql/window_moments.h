/* window_moments.h - the moving forms of stddev_over_time, stdvar_over_time, deriv and predict_linear. */
#pragma once
#include "query/promql/window.h"

window_run_fn run_stdvar, run_stddev, run_deriv, run_predict;
