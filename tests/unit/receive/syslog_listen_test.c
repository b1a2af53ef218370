#include "receive/syslog_listen.h"

#include <arpa/inet.h>

#include "unit/net/raw.h"
#include "unit/receive/shelf.h"

static struct shelf shelf;
static struct syslog_listener *listener;

static int begin(void **state)
{
    (void)state;
    struct limit limit = LIMIT_DEFAULT;
    struct err e = ERR_INIT;
    shelf_init(&shelf);
    const struct syslog_conf conf = { "127.0.0.1:0", "127.0.0.1:0" };
    if (syslog_listener_new(&conf, &shelf.store, &limit, &listener, &e) < 0) return -1;
    return syslog_listener_start(listener, &e);
}

static int end(void **state)
{
    (void)state;
    syslog_listener_stop(listener);
    syslog_listener_free(listener);
    shelf_release(&shelf);
    return 0;
}

#define MESSAGE(text) "<34>1 2023-11-14T22:13:20Z host app 12 ID47 - " text

TEST(messages_of_both_framings_are_kept)
{
    int fd = raw_connect(syslog_listener_port(listener));
    RAW_SEND(fd, MESSAGE("one") "\n" MESSAGE("two") "\n");
    EXPECT(shelf_waits_for(&shelf, 2));
    RAW_SEND(fd, "51 " MESSAGE("three") "\n50 " MESSAGE("fo"));
    EXPECT(shelf_waits_for(&shelf, 3));
    RAW_SEND(fd, "ur");
    close(fd);
    EXPECT(shelf_waits_for(&shelf, 4)); /* what a connection ends with is a message, too */
    shelf_expect(&shelf, "log 1700000000000000000 sev=18 \"one\"");
    shelf_expect(&shelf, "service.name=\"app\"");
    shelf_expect(&shelf, "\"three\"");
}

TEST(pieces_are_put_together)
{
    int fd = raw_connect(syslog_listener_port(listener));
    static const char text[] = MESSAGE("in pieces") "\n";
    for (size_t i = 0; i < sizeof text - 1; i++) {
        raw_send(fd, text + i, 1);
        if (i % 16 == 0) usleep(1000);
    }
    EXPECT(shelf_waits_for(&shelf, 1));
    shelf_expect(&shelf, "\"in pieces\"");
    close(fd);
}

TEST(a_store_that_is_behind_is_asked_again)
{
    shelf_refuse(&shelf, ERR_BUSY, 2);
    int fd = raw_connect(syslog_listener_port(listener));
    RAW_SEND(fd, MESSAGE("late") "\n");
    EXPECT(shelf_waits_for(&shelf, 1));
    EXPECT_INT(shelf.writes, 3);
    close(fd);
}

TEST(a_connection_that_lost_its_way_is_closed_and_others_go_on)
{
    int bad = raw_connect(syslog_listener_port(listener)), good = raw_connect(syslog_listener_port(listener));
    static char much[2 << 20];
    memset(much, 'a', sizeof much);
    raw_send(bad, much, sizeof much);
    RAW_SEND(good, MESSAGE("still here") "\n");
    EXPECT(shelf_waits_for(&shelf, 1));
    char c;
    EXPECT(read(bad, &c, 1) <= 0);
    shelf_expect(&shelf, "\"still here\"");
    close(bad);
    close(good);
}

static void say(int fd, const char *text, size_t n)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)syslog_listener_udp_port(listener)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    EXPECT(sendto(fd, text, n, 0, (struct sockaddr *)&to, sizeof to) == (ssize_t)n);
}

TEST(a_datagram_is_a_message)
{
    static char large[60000];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    memset(large, 'x', sizeof large);
    memcpy(large, "<34>1 ", 6);
    say(fd, "", 0);
    say(fd, MESSAGE("whole\nwith a second line") "\0", sizeof MESSAGE("whole\nwith a second line"));
    say(fd, "<13>Nov 14 22:13:20 box old[3]: form", 36);
    say(fd, large, sizeof large);
    EXPECT(shelf_waits_for(&shelf, 3));
    shelf_expect(&shelf, "\"whole\nwith a second line\"");
    shelf_expect(&shelf, "service.name=\"old\"");
    close(fd);
}

#define EACH(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(messages_of_both_framings_are_kept),
        EACH(pieces_are_put_together),
        EACH(a_store_that_is_behind_is_asked_again),
        EACH(a_datagram_is_a_message),
        EACH(a_connection_that_lost_its_way_is_closed_and_others_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
