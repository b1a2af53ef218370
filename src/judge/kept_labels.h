/* kept_labels.h - a set of labels that outlives its request: one block of heap, array and texts together. */
#pragma once
#include "model/labels.h"

struct labels kept_labels(struct labels); /* yours */
void kept_labels_free(struct labels);     /* of kept_labels, or empty */
