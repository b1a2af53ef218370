/* Syslog: as one body, and as a stream that comes in two pieces. */
#include "decode/syslog.h"
#include "record_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void frames(struct str bytes)
{
    struct str message;
    size_t used = 0;
    while (bytes.n > 0 && syslog_frame(bytes, false, &message, &used) == SYSLOG_FRAME) {
        check(used > 0 && used <= bytes.n && message.n <= used);
        bytes.p += used, bytes.n -= used;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    frames(str_make(data, n));
    frames(str_make(data, n / 2));
    return record_check(syslog_frames, TABLE_LOGS, data, n);
}
