package dev.smelt.gpu.training;

import dev.smelt.formats.UsageException;

/**
 * How parameters are tuned: AdamW (Loshchilov and Hutter, <i>Decoupled Weight Decay
 * Regularization</i>, arXiv 1711.05101) with a linear warm-up and a cosine decay to zero.
 *
 * @param steps updates
 * @param learningRate η, the largest of the schedule
 * @param warmup the share of the steps in which the rate rises, in [0, 1)
 * @param batch examples per step
 * @param weightDecay λ: each step multiplies the parameters by 1 − ηλ
 * @param beta1 β₁, of the running mean of gradients, in [0, 1)
 * @param beta2 β₂, of the running mean of their squares, in [0, 1)
 * @param epsilon ε, added to the root of the mean square
 * @param clip the largest norm of all gradients together; longer ones are scaled to it
 * @param distillation w in [0, 1], how much of the target is the teacher's prediction and not the
 *     label; without effect where there is no teacher
 * @param seed of the order of examples
 * @param holdsZeros whether what is exactly 0 at the start stays so, as pruned weights do
 */
public record TuneOptions(
    int steps,
    double learningRate,
    double warmup,
    int batch,
    double weightDecay,
    double beta1,
    double beta2,
    double epsilon,
    double clip,
    double distillation,
    long seed,
    boolean holdsZeros) {

  /** Where to begin; ten times as much makes small language models worse than they were. */
  public static final double LEARNING_RATE = 1e-4;

  public TuneOptions {
    require(steps >= 1, "steps", steps, "at least 1");
    require(isPositive(learningRate), "a learning rate", learningRate, "a positive number");
    require(warmup >= 0 && warmup < 1, "a warm-up", warmup, "0 to less than 1");
    require(batch >= 1, "a batch", batch, "at least 1");
    require(
        weightDecay >= 0 && weightDecay * learningRate < 1,
        "a weight decay",
        weightDecay,
        "0 to less than 1 / learning rate");
    require(beta1 >= 0 && beta1 < 1, "beta1", beta1, "0 to less than 1");
    require(beta2 >= 0 && beta2 < 1, "beta2", beta2, "0 to less than 1");
    require(isPositive(epsilon), "epsilon", epsilon, "a positive number");
    require(clip > 0, "a largest gradient", clip, "a positive number");
    require(distillation >= 0 && distillation <= 1, "distillation", distillation, "0 to 1");
  }

  /** What has served best on small language models; see the chapter on tuning in the docs. */
  public static TuneOptions of(int steps, double learningRate) {
    return new TuneOptions(steps, learningRate, 0.1, 8, 0.01, 0.9, 0.95, 1e-8, 1, 1, 0, false);
  }

  public TuneOptions withBatch(int other) {
    return with(other, distillation, seed, holdsZeros);
  }

  public TuneOptions withDistillation(double other) {
    return with(batch, other, seed, holdsZeros);
  }

  public TuneOptions withSeed(long other) {
    return with(batch, distillation, other, holdsZeros);
  }

  /** What is exactly 0 at the start stays so. */
  public TuneOptions withZerosHeld() {
    return with(batch, distillation, seed, true);
  }

  private TuneOptions with(int batch, double distillation, long seed, boolean holdsZeros) {
    return new TuneOptions(
        steps,
        learningRate,
        warmup,
        batch,
        weightDecay,
        beta1,
        beta2,
        epsilon,
        clip,
        distillation,
        seed,
        holdsZeros);
  }

  /**
   * η of a step: rising in equal parts over the first w = max(1, ⌊warmup · steps⌋) steps, then ½η(1
   * + cos(π (step − w) / (steps − w))).
   *
   * @param step from 0 on
   */
  double learningRate(int step) {
    int rising = Math.max(1, (int) (warmup * steps));
    if (step < rising) {
      return learningRate * (step + 1) / rising;
    }
    double done = (double) (step - rising) / (steps - rising);
    return learningRate / 2 * (1 + Math.cos(Math.PI * done));
  }

  private static boolean isPositive(double value) {
    return value > 0 && Double.isFinite(value);
  }

  private static void require(boolean holds, String what, Number found, String expected) {
    if (!holds) {
      throw new UsageException("cannot tune with " + what + " of " + found, "use " + expected);
    }
  }
}
