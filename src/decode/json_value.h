/* json_value.h - plain JSON (not OTLP's) as values and attributes of a record. */
#pragma once
#include "base/json.h"
#include "decode/record_sink.h"

/* A reader of text that may not be quite UTF-8: repaired first, half surrogates are read as U+FFFD. */
void json_open_liberal(struct json_reader *, struct str text, struct arena *);

/* The value as it stands in the reader, written compactly. */
void json_copy(struct json_reader *, struct json_writer *);

/* The next value: text, int, double, bool; arrays and objects as VALUE_JSON; null is VALUE_NONE. */
bool json_value(struct json_reader *, struct record_sink *, struct value *out);

/* The next value as text: strings as they are, numbers and truths as they are written, null and the rest
 * empty. */
bool json_scalar_text(struct json_reader *, struct record_sink *, struct str *out);

/* A time: number or text, see time_text.h. False without a failure of the reader: it is none. */
bool json_time(struct json_reader *, int64_t *ns);

/* The next value into the list under `name`. An object gives one attribute for each of its keys, "name.key",
 * and so on for objects within down to `depth`; what lies deeper is VALUE_JSON. name may be empty. */
void json_flatten(struct json_reader *, struct record_sink *, struct attr_list *, struct str name, int depth);
