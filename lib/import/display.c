/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs as the user, in programs alone: the library never prints. */
#include "import/display.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
/* Nothing is shown of what is over by then. */
#define DELAY_NS (SECOND / 2)
/* The rate is that of about so long. */
#define RATE_NS (2 * SECOND)

#define BAR_WIDTH   24U
#define WIDTH_LEAST 20U
#define WIDTH_MOST  200U

static int64_t now_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

void display_open(struct display *display, enum display_mode mode, FILE *file,
                  const char *what)
{
    *display = (struct display){
        .file = file,
        .what = what,
        .quiet = mode == DISPLAY_QUIET,
        .bar = mode == DISPLAY_AUTO && isatty(fileno(file)),
        .begin_ns = now_ns(),
    };
    display->told_ns = display->rate_ns = display->begin_ns;
}

/* "12.3" of the unit that fits. */
static void print_bytes(uint64_t bytes, char *buf, size_t size)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    double value = (double)bytes / 1000;
    size_t unit = 0;

    while (value >= 999.5 && unit + 1 < sizeof(units) / sizeof(*units)) {
        value /= 1000;
        unit++;
    }
    (void)snprintf(buf, size, value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void print_left(const struct display *display, char *buf, size_t size)
{
    const struct vitrine_progress *p = &display->last;

    buf[0] = '\0';
    if (display->rate < 1 || p->bytes <= p->bytes_done)
        return;
    double left = (double)(p->bytes - p->bytes_done) / display->rate;
    /* Longer than any job: the rate is not what it will be. */
    if (left >= 100.0 * 3600)
        return;
    uint64_t seconds = (uint64_t)left + 1;
    if (seconds >= 3600)
        (void)snprintf(buf, size, ", %" PRIu64 ":%02" PRIu64 " h left", seconds / 3600,
                       seconds / 60 % 60);
    else if (seconds >= 60)
        (void)snprintf(buf, size, ", %" PRIu64 ":%02" PRIu64 " min left", seconds / 60,
                       seconds % 60);
    else
        (void)snprintf(buf, size, ", %" PRIu64 " s left", seconds);
}

void display_text(const struct display *display, char *buf, size_t size)
{
    const struct vitrine_progress *p = &display->last;
    char layers[64] = "", done[24], all[32] = "", rate[32] = "", left[40];

    if (p->layers > 0)
        (void)snprintf(layers, sizeof(layers), "layer%s %u/%u, ",
                       p->layers == 1 ? "" : "s", p->layers_done, p->layers);
    print_bytes(p->bytes_done, done, sizeof(done));
    if (p->bytes > 0) {
        char text[24];

        print_bytes(p->bytes, text, sizeof(text));
        (void)snprintf(all, sizeof(all), " of %s", text);
    }
    if (display->rate >= 1) {
        char text[24];

        print_bytes((uint64_t)display->rate, text, sizeof(text));
        (void)snprintf(rate, sizeof(rate), ", %s/s", text);
    }
    print_left(display, left, sizeof(left));
    (void)snprintf(buf, size, "%s%s%s%s%s", layers, done, all, rate, left);
}

static void measure(struct display *display, int64_t now)
{
    int64_t passed = now - display->rate_ns;
    uint64_t done = display->last.bytes_done;

    if (passed < SECOND / 4)
        return;
    /* A second pass over a layer begins again. */
    double rate = done > display->rate_bytes
                      ? (double)(done - display->rate_bytes) * SECOND / (double)passed
                      : 0;
    double weight = (double)passed / (double)(passed + RATE_NS);
    display->rate =
        display->rate > 0 ? display->rate + (rate - display->rate) * weight : rate;
    display->rate_ns = now;
    display->rate_bytes = done;
}

static unsigned terminal_width(const struct display *display)
{
    struct winsize size = {0};

    if (ioctl(fileno(display->file), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return 80;
    if (size.ws_col < WIDTH_LEAST)
        return WIDTH_LEAST;
    return size.ws_col < WIDTH_MOST ? size.ws_col : WIDTH_MOST;
}

/* One column is left free: terminals wrap behind the last one. */
static void show_bar(struct display *display)
{
    const struct vitrine_progress *p = &display->last;
    char text[160], bar[BAR_WIDTH + 4] = "", line[WIDTH_MOST];
    unsigned width = terminal_width(display) - 1;

    display_text(display, text, sizeof(text));
    if (p->bytes > 0 && width > strlen(text) + sizeof(bar)) {
        uint64_t done = p->bytes_done < p->bytes ? p->bytes_done : p->bytes;
        unsigned full = (unsigned)((double)done / (double)p->bytes * BAR_WIDTH);

        bar[0] = '[';
        memset(bar + 1, '#', full);
        memset(bar + 1 + full, '.', BAR_WIDTH - full);
        memcpy(bar + 1 + BAR_WIDTH, "] ", 3);
    }
    (void)snprintf(line, sizeof(line), "%s%s", bar, text);
    (void)fprintf(display->file, "\r\33[K%.*s", (int)width, line);
    (void)fflush(display->file);
    display->is_shown = true;
}

static void hide_bar(struct display *display)
{
    if (display->is_shown)
        (void)fprintf(display->file, "\r\33[K");
    display->is_shown = false;
}

static void show_line(struct display *display)
{
    char text[160];

    display_text(display, text, sizeof(text));
    (void)fprintf(display->file, "vitrine: %s: %s\n", display->what, text);
    (void)fflush(display->file);
}

void display_progress(void *arg, const struct vitrine_progress *progress)
{
    struct display *display = arg;
    int64_t now = now_ns();

    display->last = *progress;
    measure(display, now);
    if (display->quiet || now - display->begin_ns < DELAY_NS)
        return;
    if (display->bar && !display->has_started)
        (void)fprintf(display->file, "vitrine: %s\n", display->what);
    if (display->bar) {
        show_bar(display);
    } else if (!display->has_started ||
               now - display->told_ns >= DISPLAY_PERIOD_S * SECOND) {
        show_line(display);
        display->told_ns = now;
    }
    display->has_started = true;
}

void display_remark(void *arg, const char *line)
{
    struct display *display = arg;

    if (display->quiet)
        return;
    hide_bar(display);
    (void)fprintf(display->file, "vitrine: %s\n", line);
    (void)fflush(display->file);
}

void display_close(struct display *display, bool well)
{
    char bytes[24];

    hide_bar(display);
    if (display->has_started && well) {
        print_bytes(display->last.bytes_done, bytes, sizeof(bytes));
        (void)fprintf(display->file, "vitrine: %s: done, %s in %.1f s\n", display->what,
                      bytes, (double)(now_ns() - display->begin_ns) / SECOND);
    }
    (void)fflush(display->file);
}
