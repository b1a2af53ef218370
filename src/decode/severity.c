#include "decode/severity.h"

#include "base/check.h"

/* The numbers of syslog's words are those of OTLP's data model, appendix B. */
static const struct {
    const char *word;
    uint8_t number;
} words[] = {
    { "info", 9 },        { "error", 17 },     { "warn", 13 },      { "warning", 13 },
    { "debug", 5 },       { "trace", 1 },      { "critical", 18 },  { "fatal", 21 },
    { "information", 9 }, { "err", 17 },       { "notice", 10 },    { "crit", 18 },
    { "alert", 19 },      { "emergency", 21 }, { "emerg", 21 },     { "panic", 21 },
    { "verbose", 5 },     { "finest", 1 },     { "finer", 1 },      { "fine", 5 },
    { "config", 8 },      { "severe", 17 },    { "log", 9 },        { "informational", 9 },
    { "dbg", 5 },         { "inf", 9 },        { "wrn", 13 },       { "eror", 17 },
    { "ftl", 21 },        { "trc", 1 },        { "silly", 1 },      { "http", 6 },
    { "success", 9 },     { "dpanic", 20 },    { "exception", 17 }, { "default", 9 },
    { "d", 5 },           { "i", 9 },          { "w", 13 },         { "e", 17 },
    { "f", 21 },          { "t", 1 },          { "c", 18 },         { "v", 1 },
    { "unspecified", 0 },
};

static const char *const names[SEVERITY_MAX + 1] = {
    "",       "TRACE",  "TRACE2", "TRACE3", "TRACE4", "DEBUG",  "DEBUG2", "DEBUG3", "DEBUG4",
    "INFO",   "INFO2",  "INFO3",  "INFO4",  "WARN",   "WARN2",  "WARN3",  "WARN4",  "ERROR",
    "ERROR2", "ERROR3", "ERROR4", "FATAL",  "FATAL2", "FATAL3", "FATAL4",
};

uint8_t severity_of(struct str word)
{
    if (word.n == 0 || word.n > 24) return 0;
    if (word.n > 16 && str_starts(word, "SEVERITY_NUMBER_")) word.p += 16, word.n -= 16;
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_is_nocase(word, words[i].word)) return words[i].number;
    for (uint8_t i = 1; i <= SEVERITY_MAX; i++)
        if (str_is_nocase(word, names[i])) return i;
    return 0;
}

const char *severity_name(uint8_t number)
{
    return number <= SEVERITY_MAX ? names[number] : "";
}

const char *severity_level(uint8_t number)
{
    static const char *const levels[] = { "trace", "debug", "info", "warn", "error", "fatal" };
    if (number == 0 || number > SEVERITY_MAX) return "unknown";
    if (number == 18) return "critical";
    return levels[(number - 1) / 4];
}

uint8_t severity_of_syslog(unsigned severity)
{
    static const uint8_t numbers[] = { 21, 19, 18, 17, 13, 10, 9, 5 };
    return severity < COUNT(numbers) ? numbers[severity] : 0;
}

uint8_t severity_of_pino(int64_t level)
{
    static const uint8_t numbers[] = { 1, 5, 9, 13, 17, 21 };
    return level >= 10 && level <= 60 && level % 10 == 0 ? numbers[level / 10 - 1] : 0;
}
