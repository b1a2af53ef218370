/* template_default.h - what a notification says when nobody has said otherwise. */
#pragma once
#include <stddef.h>

extern const char *const default_templates[]; /* each a text of definitions */
extern const size_t n_default_templates;
