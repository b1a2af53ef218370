#include "net/grpc_wire.h"

#include "base/check.h"

static uint32_t u32be(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

bool grpc_head_read(const char p[GRPC_HEAD_BYTES], struct grpc_head *h)
{
    *h = (struct grpc_head){ p[0] == 1, u32be(p + 1) };
    return p[0] == 0 || p[0] == 1;
}

void grpc_head_write(struct buf *out, uint32_t n)
{
    buf_u8(out, 0);
    for (int shift = 24; shift >= 0; shift -= 8) buf_u8(out, (uint8_t)(n >> shift));
}

bool grpc_timeout_read(struct str s, int64_t *ms)
{
    static const struct {
        char unit;
        int64_t nanos;
    } units[] = { { 'H', 3600000000000 }, { 'M', 60000000000 }, { 'S', 1000000000 },
                  { 'm', 1000000 },       { 'u', 1000 },        { 'n', 1 } };
    uint64_t v;
    if (s.n < 2 || s.n > 9 || s.p[0] < '0' || s.p[0] > '9' || !str_to_u64((struct str){ s.p, s.n - 1 }, &v))
        return false;
    for (size_t i = 0; i < COUNT(units); i++) {
        if (s.p[s.n - 1] != units[i].unit) continue;
        *ms = units[i].nanos >= 1000000 ? (int64_t)v * (units[i].nanos / 1000000)
                                        : ((int64_t)v * units[i].nanos + 999999) / 1000000;
        return true;
    }
    return false;
}

void grpc_text_write(struct buf *out, struct str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c >= ' ' && c <= '~' && c != '%') {
            buf_char(out, (char)c);
            continue;
        }
        buf_char(out, '%');
        buf_char(out, digits[c >> 4]);
        buf_char(out, digits[c & 15]);
    }
}

static void base64_write(struct buf *out, struct str in)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)in.p;
    for (size_t i = 0; i < in.n; i += 3) {
        size_t left = MIN(in.n - i, (size_t)3);
        uint32_t v =
            (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        for (size_t k = 0; k <= left; k++) buf_char(out, digits[v >> (18 - 6 * k) & 63]);
    }
}

static void field_bytes(struct buf *out, unsigned number, struct str bytes)
{
    buf_varint(out, number << 3 | 2);
    buf_varint(out, bytes.n);
    buf_str(out, bytes);
}

static void field_varint(struct buf *out, unsigned number, uint64_t v)
{
    buf_varint(out, number << 3);
    buf_varint(out, v);
}

/* Any{1 type_url, 2 value = RetryInfo{1 retry_delay = Duration{1 seconds, 2 nanos}}} */
static void retry_info_write(struct buf *out, unsigned retry_after_ms)
{
    struct buf duration = BUF_INIT(64), info = BUF_INIT(96);
    field_varint(&duration, 1, retry_after_ms / 1000);
    field_varint(&duration, 2, retry_after_ms % 1000 * UINT64_C(1000000));
    field_bytes(&info, 1, buf_view(&duration));
    field_bytes(out, 1, STR("type.googleapis.com/google.rpc.RetryInfo"));
    field_bytes(out, 2, buf_view(&info));
    buf_release(&duration);
    buf_release(&info);
}

void grpc_details_write(struct buf *out, enum grpc_status status, struct str text, unsigned retry_after_ms)
{
    struct buf message = BUF_INIT(16384), any = BUF_INIT(256);
    field_varint(&message, 1, status);
    field_bytes(&message, 2, text);
    if (retry_after_ms > 0) {
        retry_info_write(&any, retry_after_ms);
        field_bytes(&message, 3, buf_view(&any));
    }
    base64_write(out, buf_view(&message));
    buf_release(&message);
    buf_release(&any);
}

bool grpc_health_service(struct str m, struct str *service)
{
    *service = (struct str){ NULL, 0 };
    if (m.n == 0) return true;
    if (m.n < 2 || m.p[0] != (1 << 3 | 2)) return false;
    size_t n = (unsigned char)m.p[1]; /* one byte of length: no service of ours has a name beyond 127 */
    if (n > 127 || n != m.n - 2) return false;
    *service = str_make(m.p + 2, n);
    return true;
}
