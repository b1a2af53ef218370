/* toy_store.c - moved to tests/unit, where stores of all kinds are tested against it. */
#include "unit/toy_store.c"
