/* log.h - what the server says about itself: one JSON object a line on stderr, plain text when that is a
 * terminal.
 *
 *     log_info("store", "part written", "path", path, "rows", log_num(n), NULL);
 *
 * Thread-safe; each line is one write(2). The same module+text more than 10 times a second is counted, not
 * printed. */
#pragma once
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level least);
void log_set_json(int on); /* 1 always JSON, 0 never, -1 by isatty (the start value) */

/* Key, value pairs of const char *, ended by NULL. */
void log_line(enum log_level, const char *module, const char *text, ...) __attribute__((sentinel));

/* Numbers as text; valid until the same thread has called log_num 8 more times. */
const char *log_num(int64_t v);

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
