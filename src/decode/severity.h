/* severity.h - words for how bad it is, and OTLP's numbers for them: trace 1-4, debug 5-8, info 9-12, warn
 * 13-16, error 17-20, fatal 21-24. */
#pragma once
#include <stdint.h>

#include "base/str.h"

#define SEVERITY_MAX 24

/* Of a word in any case, as the log libraries and syslog spell them; 0: not one of them. */
uint8_t severity_of(struct str word);
/* "TRACE", "DEBUG2", ... ; "" for 0. */
const char *severity_name(uint8_t number);
/* What Loki calls detected_level: trace debug info warn error critical fatal; "unknown" for 0. */
const char *severity_level(uint8_t number);
/* Of syslog, 0 (emergency) to 7 (debug). */
uint8_t severity_of_syslog(unsigned severity);
/* Of bunyan and pino: 10, 20, ... 60; 0: none of these. */
uint8_t severity_of_pino(int64_t level);
