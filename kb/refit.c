/* refit.c: see refit.h. Newton's method on the logistic loss of two parameters, drawn towards "no change" by
 * a ridge; judged by four folds, each measured with the fit of the other three. Labels are dealt to the folds
 * as if by lot, so that every fold spans the same time and no rhythm of the labels falls into one. */
#include <math.h>
#include <stdint.h>

#include "kb/refit.h"
#include "queue/base/error.h"

#define FOLDS       4
#define BINS        15
#define RIDGE       4.0 /* as strong as some sixteen labels that say "no change" */
#define STEPS       30
#define EACH_LEAST  20    /* labels of each kind: without rejections there is nothing to learn */
#define GAIN_LEAST  0.005 /* of mean logistic loss on unseen labels, else the change is noise */
#define ODDS_MOST   12.0
#define STRETCH_MIN 0.2
#define STRETCH_MAX 4.0
#define SHIFT_MAX   4.0

/* The fold of label i. */
static size_t fold_of(size_t i)
{
    return (size_t)(((uint32_t)i * 2654435761u) >> 16) % FOLDS;
}

/* Log odds, kept finite. */
static double odds_of(double p)
{
    if (p <= 0 || p >= 1) {
        return p <= 0 ? -ODDS_MOST : ODDS_MOST;
    }
    double odds = log(p / (1 - p));
    return odds < -ODDS_MOST ? -ODDS_MOST : odds > ODDS_MOST ? ODDS_MOST : odds;
}

static double probability(double odds)
{
    return 1.0 / (1.0 + exp(-odds));
}

bool kb_calibration_sane(const struct kb_calibration *c)
{
    return c->stretch >= STRETCH_MIN && c->stretch <= STRETCH_MAX && fabs(c->shift) <= SHIFT_MAX;
}

double kb_calibrate(const struct kb_calibration *c, double confidence)
{
    if (confidence <= 0 || confidence >= 1 || !kb_calibration_sane(c)) {
        return confidence;
    }
    return probability(c->stretch * odds_of(confidence) + c->shift);
}

/* Slope and curvature of the loss at one point. */
struct bend {
    double a, b, aa, ab, bb;
};

/* Adds up the labels outside of fold (FOLDS: all of them). */
static struct bend bend_at(const struct kb_label *labels, size_t count, size_t fold,
                           const struct kb_calibration *c)
{
    struct bend d = {RIDGE * (c->stretch - 1), RIDGE * c->shift, RIDGE, 0, RIDGE};

    for (size_t i = 0; i < count; i++) {
        if (fold_of(i) == fold) {
            continue;
        }
        double x = odds_of(labels[i].confidence), p = probability(c->stretch * x + c->shift);
        double off = p - (labels[i].right ? 1 : 0), weight = p * (1 - p);
        d.a += off * x;
        d.b += off;
        d.aa += weight * x * x;
        d.ab += weight * x;
        d.bb += weight;
    }
    return d;
}

/* The best calibration for the labels outside of fold. Steps are bounded: the loss is convex, so short steps
 * still arrive. */
static struct kb_calibration fit(const struct kb_label *labels, size_t count, size_t fold)
{
    struct kb_calibration c = KB_CALIBRATION_NONE;

    for (int step = 0; step < STEPS; step++) {
        struct bend d = bend_at(labels, count, fold, &c);
        double determinant = d.aa * d.bb - d.ab * d.ab;
        CHECK(determinant > 0); /* the ridge sees to it */
        double da = (d.bb * d.a - d.ab * d.b) / determinant, db = (d.aa * d.b - d.ab * d.a) / determinant;
        double size = fabs(da) + fabs(db), scale = size > 1 ? 1 / size : 1;
        c.stretch -= scale * da;
        c.shift -= scale * db;
        if (size < 1e-9) {
            break;
        }
    }
    return c;
}

/* Logistic loss of one label. */
static double loss_of(const struct kb_label *label, double p)
{
    double q = label->right ? p : 1 - p;

    return -log(q < 1e-9 ? 1e-9 : q);
}

struct bins {
    double count[BINS], sum[BINS], right[BINS];
};

static void bins_add(struct bins *bins, double p, bool right)
{
    int bin = p >= 1 ? BINS - 1 : (int)(p * BINS);

    bins->count[bin]++;
    bins->sum[bin] += p;
    bins->right[bin] += right;
}

static double bins_error(const struct bins *bins, size_t count)
{
    double error = 0;

    for (int i = 0; i < BINS; i++) {
        error += fabs(bins->sum[i] - bins->right[i]);
    }
    return count > 0 ? error / (double)count : 0;
}

double kb_calibration_error(const struct kb_label *labels, size_t count, const struct kb_calibration *c)
{
    struct bins bins = {0};

    for (size_t i = 0; i < count; i++) {
        bins_add(&bins, kb_calibrate(c, labels[i].confidence), labels[i].right);
    }
    return bins_error(&bins, count);
}

/* Measures fits on labels they have not seen; returns what one label gains in logistic loss. */
static double cross_check(const struct kb_label *labels, size_t count, struct kb_refit *out)
{
    struct bins before = {0}, after = {0};
    double gain = 0;

    for (size_t fold = 0; fold < FOLDS; fold++) {
        struct kb_calibration c = fit(labels, count, fold);
        for (size_t i = 0; i < count; i++) {
            if (fold_of(i) != fold) {
                continue;
            }
            double shipped = labels[i].confidence, own = kb_calibrate(&c, shipped);
            gain += loss_of(&labels[i], shipped) - loss_of(&labels[i], own);
            bins_add(&before, shipped, labels[i].right);
            bins_add(&after, own, labels[i].right);
        }
    }
    out->error_before = bins_error(&before, count);
    out->error_after = bins_error(&after, count);
    return gain / (double)count;
}

void kb_refit(const struct kb_label *labels, size_t count, struct kb_refit *out)
{
    size_t right = 0;

    *out = (struct kb_refit){.calibration = KB_CALIBRATION_NONE, .labels = count};
    for (size_t i = 0; i < count; i++) {
        right += labels[i].right;
    }
    if (count < KB_REFIT_LABELS || right < EACH_LEAST || count - right < EACH_LEAST) {
        out->reason = "There are too few labels, or too few of one kind.";
        return;
    }
    double gain = cross_check(labels, count, out);
    struct kb_calibration c = fit(labels, count, FOLDS);
    if (gain < GAIN_LEAST || out->error_after >= out->error_before) {
        out->reason = "It would not have helped on labels it had not seen.";
    } else if (!kb_calibration_sane(&c)) {
        out->reason = "The labels contradict what was found; a calibration cannot mend that.";
    } else {
        out->taken = true;
        out->calibration = c;
        out->reason = "It helps on labels it had not seen.";
    }
}
