/* price_builtin.c - src/model/prices.yaml within the program. */
#include "model/price_impl.h"
#include "prices.h" /* made by the build */
