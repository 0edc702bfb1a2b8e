package dev.smelt.compress.dampen;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.i64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.dampen.DampenRun.Setup;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.SmeltException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class DampenedModelTest {

  private static final String GPT2 = "{\"model_type\":\"gpt2\"}";

  @TempDir private Path folder;

  private DampenRun run(
      List<TestTensor> model, List<TestTensor> forget, List<TestTensor> retain, Setup setup) {
    return DampenRun.of(folder, model, forget, retain, setup);
  }

  /** Squares over some orders of magnitude, a fifth of them 0. */
  private static float[] information(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = random.nextInt(5) == 0 ? 0 : (float) Math.exp(4 * random.nextGaussian());
    }
    return values;
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
  void followsTheDefinitionWeightByWeight(long seed) {
    Random random = new Random(seed);
    int rows = 1 + random.nextInt(40);
    int columns = 1 + random.nextInt(40);
    int count = rows * columns;
    Shape shape = Shape.of(rows, columns);
    float[] f = information(random, count);
    float[] r = information(random, count);
    double alpha = Math.exp(2 * random.nextGaussian());
    double lambda = random.nextInt(4) == 0 ? 0 : Math.exp(random.nextGaussian());
    // Exactly at the border nothing is lowered.
    f[0] = 3;
    r[0] = (float) (3 / alpha);
    double[] theta = random.doubles(count, -2, 2).toArray();
    double[] expected = new double[count];
    long lowered = 0;
    long zeroed = 0;
    double error = 0;
    double norm = 0;
    for (int i = 0; i < count; i++) {
      expected[i] = theta[i];
      if ((double) f[i] > alpha * r[i]) {
        double ratio = lambda * r[i] / f[i];
        if (ratio < 1) {
          expected[i] = theta[i] * ratio;
          lowered++;
          zeroed += ratio == 0 ? 1 : 0;
        }
      }
      error += Math.pow(theta[i] - expected[i], 2);
      norm += theta[i] * theta[i];
    }
    DampenRun done =
        run(
            List.of(TestTensors.f64("w", shape, theta)),
            List.of(f32("w", shape, f)),
            List.of(f32("w", shape, r)),
            Setup.of(alpha, lambda));
    assertThat(done.of("w")).containsExactly(expected);
    assertThat(done.dampened("w"))
        .isEqualTo(new TensorRecord.Dampened(count, lowered, zeroed, (double) lowered / count));
    assertThat(done.record("w").relativeError()).isCloseTo(Math.sqrt(error / norm), within(1e-12));
    assertThat(done.record("w").action()).isEqualTo("dampened");
  }

  /** Every value of narrow types: what stays keeps its bits, what falls is rounded once. */
  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
  void keepsTheBitsOfWhatStays(DType type) {
    TestTensor theta = TestTensors.random("w", type, 7, 24, 16);
    Shape shape = Shape.of(24, 16);
    float[] f = new float[384];
    float[] r = new float[384];
    for (int i = 0; i < f.length; i++) {
      f[i] = i % 3 == 0 ? 8 : 1;
      r[i] = 1;
    }
    DampenRun done =
        run(
            List.of(theta),
            List.of(f32("w", shape, f)),
            List.of(f32("w", shape, r)),
            Setup.of(4, 1));
    byte[] found = Objects.requireNonNull(done.bytes().get("w"));
    int size = found.length / 384;
    double[] after = done.of("w");
    double[] before = decode(theta);
    for (int i = 0; i < 384; i++) {
      if (i % 3 == 0) {
        // A power of two below: exact but where the type runs out of exponents.
        double step = type == DType.F8_E4M3 || type == DType.F8_E5M2 ? 0x1p-9 : 0;
        assertThat(after[i]).isCloseTo(before[i] / 8, within(Math.max(step, 1e-9)));
      } else {
        for (int b = i * size; b < (i + 1) * size; b++) {
          assertThat(found[b]).as("byte " + b).isEqualTo(theta.bytes()[b]);
        }
      }
    }
    assertThat(done.dampened("w").lowered()).isEqualTo(128);
  }

  private double[] decode(TestTensor tensor) {
    Path file = TestCheckpoints.file(folder.resolve("one.safetensors"), List.of(tensor));
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      return checkpoint.tensor(tensor.name()).toDoubles();
    }
  }

  /** The larger α, the fewer; those that the retained data do not reach always. */
  @Test
  void lowersFewerTheLargerAlpha() {
    Random random = new Random(3);
    Shape shape = Shape.of(1000);
    float[] f = information(random, 1000);
    float[] r = information(random, 1000);
    TestTensor theta = TestTensors.random("w", DType.F32, 5, 1000);
    double[] before = decode(theta);
    boolean[] last = new boolean[1000];
    Arrays.fill(last, true);
    for (double alpha : new double[] {1, 2, 10, 1e3, 1e300}) {
      double[] after =
          run(
                  List.of(theta),
                  List.of(f32("w", shape, f)),
                  List.of(f32("w", shape, r)),
                  Setup.of(alpha, 1))
              .of("w");
      for (int i = 0; i < 1000; i++) {
        boolean changed = after[i] != before[i];
        assertThat(changed && !last[i]).isFalse();
        last[i] = changed;
        if (alpha == 1e300) {
          boolean unreached = r[i] == 0 && f[i] > 0;
          assertThat(after[i]).isEqualTo(unreached ? before[i] * 0 : before[i]);
        }
      }
    }
  }

  /** Pieces of a large tensor, and as many threads as one likes. */
  @Test
  void isTheSameForAnyNumberOfThreads() {
    int count = (1 << 22) + 70_001;
    Shape shape = Shape.of(count);
    float[] theta = new float[count];
    float[] f = new float[count];
    float[] r = new float[count];
    for (int i = 0; i < count; i++) {
      theta[i] = i % 1000 - 500.5f;
      f[i] = i % 7;
      r[i] = i % 5;
    }
    List<TestTensor> model = List.of(f32("w", shape, theta));
    Setup one = Setup.of(1.5, 1);
    List<TestTensor> ofF = List.of(f32("w", shape, f));
    List<TestTensor> ofR = List.of(f32("w", shape, r));
    DampenRun found = run(model, ofF, ofR, one);
    double[] values = found.of("w");
    long lowered = 0;
    for (int i = 0; i < count; i++) {
      boolean low = f[i] > 1.5 * r[i];
      lowered += low ? 1 : 0;
      float expected = low ? (float) (theta[i] * ((double) r[i] / f[i])) : theta[i];
      if (Math.abs(values[i] - expected) > 1e-7 * Math.abs(expected)) {
        assertThat(values[i]).as("element " + i).isEqualTo(expected);
      }
    }
    assertThat(found.dampened("w").lowered()).isEqualTo(lowered);
    DampenRun again = run(model, ofF, ofR, new Setup("{}", one.how(), one.names(), one.dtype(), 3));
    assertThat(again.bytes().get("w")).isEqualTo(found.bytes().get("w"));
    assertThat(again.records()).isEqualTo(found.records());
  }

  @Test
  void listsWhatItLeavesAndWhy() {
    Shape two = Shape.of(2);
    DampenRun done =
        run(
            List.of(
                f32("a", two, 1, 2),
                f32("b", two, 1, 2),
                f32("c", two, 1, 2),
                i64("ids", two, 3, 4)),
            List.of(f32("a", two, 8, 8), f32("b", two, 8, 8), f32("gone", two, 1, 1)),
            List.of(f32("a", two, 1, 1), f32("c", two, 1, 1)),
            Setup.of(2, 1));
    assertThat(done.of("a")).containsExactly(0.125, 0.25);
    assertThat(done.of("b")).containsExactly(1, 2);
    assertThat(done.record("b").reason()).startsWith("no Fisher information in ").contains("r.s");
    assertThat(done.record("c").reason()).startsWith("no Fisher information in ").contains("f.s");
    assertThat(done.record("ids").reason()).isEqualTo("not of floats, I64");
    assertThat(done.record("ids").action()).isEqualTo("kept");
    assertThat(done.notes()).singleElement().asString().contains("1 tensor(s)", "such as gone");
  }

  @Test
  void looksAtTensorsWhoseNamesMatch() {
    Shape two = Shape.of(2);
    List<TestTensor> model = List.of(f32("h.0.a", two, 1, 2), f32("h.0.b", two, 1, 2));
    List<TestTensor> f = List.of(f32("h.0.a", two, 8, 8), f32("h.0.b", two, 8, 8));
    List<TestTensor> r = List.of(f32("h.0.a", two, 1, 1), f32("h.0.b", two, 1, 1));
    for (NamePatterns names :
        List.of(
            new NamePatterns(List.of("*.a"), List.of()),
            new NamePatterns(List.of(), List.of("*.b")))) {
      DampenRun done =
          run(model, f, r, new Setup("{}", new Dampening(2, 1), names, Optional.empty(), 1));
      assertThat(done.of("h.0.a")).containsExactly(0.125, 0.25);
      assertThat(done.of("h.0.b")).containsExactly(1, 2);
      assertThat(done.record("h.0.b").reason()).isNull();
    }
  }

  @Test
  void roundsOnceToAnotherType() {
    Shape shape = Shape.of(3);
    DampenRun done =
        run(
            List.of(f32("w", shape, 1 + 0x1p-8f, 3, 5), f32("v", shape, 1 + 0x1p-8f, 2, 4)),
            List.of(f32("w", shape, 1, 9, 8)),
            List.of(f32("w", shape, 1, 3, 1)),
            new Setup("{}", new Dampening(2, 1), NamePatterns.ALL, Optional.of(DType.BF16), 1));
    // 1 + 2⁻⁸ lies between two numbers of BF16: to the even one.
    assertThat(done.of("w")).containsExactly(1, 1, 0.625);
    assertThat(done.of("v")).containsExactly(1, 2, 4);
    assertThat(done.record("w").bytesAfter()).isEqualTo(6);
  }

  /** Statistics hold a tied table once; its stored copy stays a copy, in factors as well. */
  @Test
  void lowersStoredCopiesOfTiedTensorsAlike() {
    Shape shape = Shape.of(2, 2);
    for (String form : List.of("weight", "ALinear.weight", "BLinear.weight")) {
      String table = "transformer.wte." + form;
      List<TestTensor> model =
          List.of(
              f32(table, shape, 1, 2, 3, 4),
              f32("lm_head." + form, shape, 1, 2, 3, 4),
              f32("transformer.ln_f.bias", Shape.of(2), 1, 1));
      List<TestTensor> f = List.of(f32(table, shape, 8, 1, 8, 1));
      List<TestTensor> r = List.of(f32(table, shape, 1, 1, 1, 1));
      Setup setup = Setup.of(2, 1);
      DampenRun done =
          run(model, f, r, new Setup(GPT2, setup.how(), setup.names(), setup.dtype(), 1));
      assertThat(done.of(table)).containsExactly(0.125, 2, 0.375, 4);
      assertThat(done.of("lm_head." + form)).containsExactly(0.125, 2, 0.375, 4);
      assertThat(done.record("transformer.ln_f.bias").reason()).isNotNull();
      NamePatterns half = new NamePatterns(List.of(), List.of("lm_head*"));
      assertRefused(
          () -> run(model, f, r, new Setup(GPT2, setup.how(), half, setup.dtype(), 1)),
          UsageException.class,
          "are one tensor",
          "include both, or exclude both");
    }
  }

  private static void assertRefused(
      ThrowingCallable call, Class<? extends SmeltException> type, String... parts) {
    assertThatThrownBy(call).isInstanceOf(type).hasMessageContainingAll(parts);
  }

  private void assertRefused(
      TestTensor model,
      TestTensor forget,
      TestTensor retain,
      Class<? extends SmeltException> type,
      String... parts) {
    assertRefused(
        () -> run(List.of(model), List.of(forget), List.of(retain), Setup.of(2, 1)), type, parts);
  }

  @Test
  void refusesWhatDoesNotFit() {
    Shape two = Shape.of(2);
    TestTensor w = f32("w", two, 1, 2);
    TestTensor good = f32("w", two, 1, 1);
    assertRefused(
        w, good, f32("w", Shape.of(1, 2), 1, 1), MismatchException.class, "another shape", "r.s");
    assertRefused(w, f32("v", two, 1, 1), good, NotFoundException.class, "no Fisher information");
    assertRefused(w, f32("w", two, 1, -1), good, NonFiniteException.class, "index 1", "found -1.0");
    assertRefused(w, good, f32("w", two, Float.NaN, 1), NonFiniteException.class, "index 0", "NaN");
    assertRefused(
        w,
        f32("w", two, 1, Float.POSITIVE_INFINITY),
        good,
        NonFiniteException.class,
        "index 1",
        "Infinity");
    assertRefused(
        f32("w", two, 1, Float.NEGATIVE_INFINITY),
        good,
        good,
        NonFiniteException.class,
        "--exclude w");
    assertRefused(
        i64("w", two, 1, 2), good, good, UnsupportedException.class, "integers", "smelt expand");
    assertThat(folder.resolve("out")).doesNotExist();
    assertRefused(
        () ->
            run(
                List.of(w),
                List.of(good),
                List.of(good),
                new Setup(
                    "{}",
                    new Dampening(2, 1),
                    new NamePatterns(List.of("x*"), List.of()),
                    Optional.empty(),
                    1)),
        UsageException.class,
        "'x*' matches no tensor");
  }

  @Test
  void refusesNumbersThatMakeNoSense() {
    for (double alpha : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertRefused(() -> new Dampening(alpha, 1), UsageException.class, "--alpha");
    }
    for (double lambda : new double[] {-1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertRefused(() -> new Dampening(1, lambda), UsageException.class, "--lambda");
    }
  }
}
