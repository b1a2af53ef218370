/* template_text.h - tables of functions on text, numbers and times, as Sprig names them, for template_new. */
#pragma once
#include "query/template.h"

extern const struct template_functions template_texts, template_numbers, template_times;

/* As Sprig casts: numbers, numbers in texts, booleans; else 0. */
int64_t tv_cast_int(struct tvalue);
double tv_cast_float(struct tvalue);
struct str tf_arg(const struct template_call *, size_t i);   /* argument i as text */
struct tvalue tf_made(struct template_call *, struct buf *); /* the text, and the buffer is released */
