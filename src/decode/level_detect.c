#include "decode/level_detect.h"

#include "base/check.h"
#include "base/json.h"
#include "decode/severity.h"

bool level_is_key(struct str name)
{
    static const char *const keys[] = { "level",         "severity",       "lvl",
                                        "severity_text", "log.level",      "log_level",
                                        "loglevel",      "detected_level", "levelname" };
    for (size_t i = 0; i < COUNT(keys); i++)
        if (str_is_nocase(name, keys[i])) return true;
    return false;
}

/* The top keys of the object, as far as they are there: the line may be cut. */
static uint8_t in_json(struct str line, struct arena *scratch)
{
    struct json_reader r;
    struct str key, text;
    int64_t number;
    json_open(&r, line, scratch);
    if (!json_object(&r)) return 0;
    while (json_key(&r, &key)) {
        if (!level_is_key(key))
            json_skip(&r);
        else if (json_peek(&r) == JSON_STRING)
            return json_string(&r, &text) ? severity_of(text) : 0;
        else
            return json_i64(&r, &number) ? severity_of_pino(number) : 0;
    }
    return 0;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_key_char(char c)
{
    return is_word(c) || c == '_' || c == '.';
}

/* level=info, level="info" */
static uint8_t in_logfmt(struct str line)
{
    for (size_t i = 1; i + 1 < line.n; i++) {
        if (line.p[i] != '=') continue;
        size_t from = i, to = i + 1 + (line.p[i + 1] == '"');
        while (from > 0 && is_key_char(line.p[from - 1])) from--;
        if (!level_is_key(str_make(line.p + from, i - from))) continue;
        size_t end = to;
        while (end < line.n && is_word(line.p[end])) end++;
        uint8_t found = severity_of(str_make(line.p + to, end - to));
        if (found != 0) return found;
    }
    return 0;
}

static bool is_upper(struct str word)
{
    for (size_t i = 0; i < word.n; i++)
        if (word.p[i] >= 'a' && word.p[i] <= 'z') return false;
    return true;
}

/* Words that say it in running text, and no others: "config" and "log" are severities only in a level field.
 */
static uint8_t of_word(struct str word)
{
    static const char *const words[] = {
        "trace", "debug",    "info",  "notice", "warn", "warning",
        "error", "critical", "fatal", "panic",  "err",  "crit",
    };
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_is_nocase(word, words[i])) return severity_of(word);
    return 0;
}

/* The first word that stands out (in capitals, or before a colon or bracket) decides; else the first that
 * tells of something bad. */
static uint8_t in_words(struct str line)
{
    uint8_t weak = 0;
    for (size_t i = 0; i < line.n;) {
        size_t from = i;
        while (i < line.n && is_word(line.p[i])) i++;
        struct str word = str_make(line.p + from, i - from);
        uint8_t found = word.n >= 3 && word.n <= 8 ? of_word(word) : 0;
        char after = i < line.n ? line.p[i] : ' ';
        if (found != 0 && (is_upper(word) || after == ':' || after == ']')) return found;
        if (found >= 13 && weak == 0) weak = found;
        if (i == from) i++;
    }
    return weak;
}

uint8_t level_detect(struct str line, struct arena *scratch)
{
    struct str look = str_make(line.p, MIN(line.n, (size_t)LEVEL_LOOK_BYTES));
    struct str trimmed = str_trim(look);
    if (trimmed.n == 0) return 0;
    uint8_t found = trimmed.p[0] == '{' ? in_json(trimmed, scratch) : 0;
    if (found == 0) found = in_logfmt(trimmed);
    return found != 0 || trimmed.p[0] == '{' ? found : in_words(trimmed);
}
