package dev.smelt.compress.prune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights that make up for others, against inverses and against masks alone. */
class CompensationTest {

  private static final double DAMPING = 0.01;

  @TempDir private Path folder;

  @SuppressWarnings("ArrayRecordComponent") // compared by no one
  private record Case(double[][] w, double[][] h, Path model, Path statistics, boolean transposed) {

    /** Ŵ as rows, whichever way it is stored. */
    double[][] rows(double[] stored) {
      return transposed
          ? Plain.transpose(Plain.rows(stored, w.length))
          : Plain.rows(stored, w[0].length);
    }

    /** √tr(ΔHΔᵀ). */
    double error(double[][] other) {
      double[][] change = Plain.subtract(w, other);
      double[][] product = Plain.multiply(change, h);
      double sum = 0;
      for (int i = 0; i < change.length; i++) {
        for (int k = 0; k < change[0].length; k++) {
          sum += product[i][k] * change[i][k];
        }
      }
      return Math.sqrt(sum);
    }

    double norm() {
      return error(new double[w.length][w[0].length]);
    }

    /** W where the other is not zero. */
    double[][] masked(double[][] other) {
      double[][] masked = new double[w.length][w[0].length];
      for (int i = 0; i < w.length; i++) {
        for (int k = 0; k < w[0].length; k++) {
          masked[i][k] = other[i][k] == 0 ? 0 : w[i][k];
        }
      }
      return masked;
    }
  }

  private Case of(int out, int in, boolean transposed, long seed) {
    double[][] w = Plain.random(out, in, seed);
    // Inputs that go together, so that one can stand in for another.
    double[][] x = Plain.decaying(in, 4 * in, 0.8, seed + 1);
    double[][] gram = Plain.multiply(x, Plain.transpose(x));
    double mean = 0;
    for (int k = 0; k < in; k++) {
      mean += gram[k][k] / in;
    }
    double[][] h = Plain.scale(gram, 1);
    for (int k = 0; k < in; k++) {
      h[k][k] += DAMPING * mean;
    }
    String module = transposed ? "h.0.mlp.c_fc" : "m";
    double[][] stored = transposed ? Plain.transpose(w) : w;
    Path model =
        TestCheckpoints.folder(
            folder.resolve("in" + seed),
            transposed ? "{\"model_type\": \"gpt2\"}" : "{\"model_type\": \"none\"}",
            List.of(
                TestTensors.f64(
                    module + ".weight",
                    Shape.of(stored.length, stored[0].length),
                    Plain.flatten(stored))));
    Path statistics = folder.resolve("F" + seed + ".safetensors");
    TestCheckpoints.write(
        statistics,
        TestCheckpoints.safetensors(
            List.of(TestTensors.f64("input_gram/" + module, Shape.of(in, in), Plain.flatten(gram))),
            Map.of("examples", "4", "tokens", "40")));
    return new Case(w, h, model, statistics, transposed);
  }

  private Pruned run(Case one, Pruned.Setup setup, double sparsity, boolean sequential) {
    return setup
        .by(one.statistics())
        .run(
            one.model(),
            folder.resolve("out" + sequential + System.identityHashCode(setup)),
            sparsity,
            statistics -> {
              InputGram gram = new InputGram(statistics, DAMPING);
              return sequential
                  ? new Method.Sequential(gram)
                  : new Method.Refitted(new Obs(gram, TestDevice::get), gram);
            });
  }

  private static String name(Case one) {
    return one.transposed() ? "h.0.mlp.c_fc.weight" : "m.weight";
  }

  @ParameterizedTest
  @CsvSource({"3, 5, false, 0", "3, 5, false, 4", "4, 6, true, 2", "1, 1, false, 0"})
  void withoutOneWeightTheOthersAreWhatObsSays(int out, int in, boolean transposed, int seed) {
    Case one = of(out, in, transposed, seed);
    double sparsity = Math.min(1, 1.5 / (out * in));
    double[][] is =
        one.rows(run(one, Pruned.Setup.of(Scope.TENSOR), sparsity, false).tensor(name(one)));
    double[][] inverse = inverse(one.h());
    // Optimal brain surgeon: the least w²/[H⁻¹]_qq, and δ = −w/[H⁻¹]_qq · H⁻¹e_q.
    int row = 0;
    int q = 0;
    for (int i = 0; i < out; i++) {
      for (int k = 0; k < in; k++) {
        if (Math.pow(one.w()[i][k], 2) / inverse[k][k]
            < Math.pow(one.w()[row][q], 2) / inverse[q][q]) {
          row = i;
          q = k;
        }
      }
    }
    for (int i = 0; i < out; i++) {
      for (int k = 0; k < in; k++) {
        double change = i == row ? -one.w()[row][q] / inverse[q][q] * inverse[k][q] : 0;
        assertThat(is[i][k]).isCloseTo(one.w()[i][k] + change, within(1e-8));
      }
    }
    assertThat(is[row][q]).isZero();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6})
  void sequentiallyTheWeightsOfLaterInputsAreWhatObsSays(int seed) {
    // A single input that is all but silent is taken first: then all others are later ones.
    Case one = of(2, 6, seed % 2 == 0, 100 + seed);
    Pruned pruned = run(one, Pruned.Setup.of(Scope.TENSOR), 1.5 / 12, true);
    double[][] is = one.rows(pruned.tensor(name(one)));
    int row = -1;
    int q = -1;
    for (int i = 0; i < 2; i++) {
      for (int k = 0; k < 6; k++) {
        if (is[i][k] == 0) {
          row = i;
          q = k;
        }
      }
    }
    // H of the inputs from q on: those before were settled already.
    double[][] later = new double[6 - q][6 - q];
    for (int i = q; i < 6; i++) {
      later[i - q] = Arrays.copyOfRange(one.h()[i], q, 6);
    }
    double[][] inverse = inverse(later);
    for (int i = 0; i < 2; i++) {
      for (int k = 0; k < 6; k++) {
        double change =
            i == row && k >= q ? -one.w()[row][q] / inverse[0][0] * inverse[k - q][0] : 0;
        assertThat(is[i][k]).isCloseTo(one.w()[i][k] + change, within(1e-9));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "12, 20, TENSOR, 0.5, false", "12, 20, ROW, 0.5, true", "7, 300, TENSOR, 0.7, false",
    "7, 300, ROW, 0.31, true", "40, 17, TENSOR, 0.9, true", "3, 140, ROW, 0.99, false"
  })
  void compensatedErrorsAreBelowThoseOfTheMaskAlone(
      int out, int in, Scope scope, double sparsity, boolean transposed) {
    Case one = of(out, in, transposed, 31L * out + in);
    double[] errors = new double[2];
    for (boolean sequential : new boolean[] {true, false}) {
      Pruned pruned = run(one, Pruned.Setup.of(scope), sparsity, sequential);
      double[] stored = pruned.tensor(name(one));
      double[][] is = one.rows(stored);
      long zeros =
          scope == Scope.ROW ? ((long) (sparsity * in)) * out : (long) (sparsity * in * out);
      assertThat(Pruned.zeros(stored)).isEqualTo(zeros);
      if (scope == Scope.ROW) {
        for (double[] row : is) {
          assertThat(Pruned.zeros(row)).isEqualTo((long) (sparsity * in));
        }
      }
      double error = one.error(is);
      assertThat(error).isLessThan(one.error(one.masked(is)));
      assertThat(pruned.record(name(one)).weightedRelativeError())
          .isCloseTo(error / one.norm(), within(1e-9));
      errors[sequential ? 0 : 1] = error;
      if (!sequential) {
        assertNothingCanBeWon(one, is);
      }
    }
    assertThat(errors).doesNotContain(0);
  }

  /** ((Ŵ − W)H) is zero where weights stayed. */
  private static void assertNothingCanBeWon(Case one, double[][] is) {
    double[][] slope = Plain.multiply(Plain.subtract(is, one.w()), one.h());
    double scale = one.norm() * Plain.frobenius(one.h());
    for (int i = 0; i < is.length; i++) {
      for (int k = 0; k < is[0].length; k++) {
        assertThat(is[i][k] == 0 ? 0 : slope[i][k]).isCloseTo(0, within(1e-8 * scale));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"2:4", "4:8", "1:3"})
  void groupsAreChosenAsTheWeightsAreByThen(String text) {
    Pattern.Groups groups = (Pattern.Groups) Pattern.parse(text);
    Case one = of(9, 48 * 6, false, 7);
    Pruned pruned = run(one, Pruned.Setup.of(groups, Scope.TENSOR), 0, true);
    double[][] is = one.rows(pruned.tensor(name(one)));
    for (double[] row : is) {
      for (int k = 0; k < row.length; k += groups.of()) {
        assertThat(Pruned.zeros(Arrays.copyOfRange(row, k, k + groups.of())))
            .isEqualTo(groups.of() - groups.kept());
      }
    }
    assertThat(one.error(is)).isLessThan(one.error(one.masked(is)));
  }

  @Test
  void withoutSparsityNothingChanges() {
    Case one = of(6, 10, false, 50);
    for (boolean sequential : new boolean[] {true, false}) {
      double[][] is =
          one.rows(run(one, Pruned.Setup.of(Scope.TENSOR), 0.001, sequential).tensor(name(one)));
      assertThat(Plain.relativeError(one.w(), is)).isLessThan(1e-13);
    }
  }

  /** By elimination. */
  private static double[][] inverse(double[][] h) {
    int n = h.length;
    double[][] a = new double[n][2 * n];
    for (int i = 0; i < n; i++) {
      System.arraycopy(h[i], 0, a[i], 0, n);
      a[i][n + i] = 1;
    }
    for (int k = 0; k < n; k++) {
      double pivot = a[k][k];
      for (int j = 0; j < 2 * n; j++) {
        a[k][j] /= pivot;
      }
      for (int i = 0; i < n; i++) {
        double factor = a[i][k];
        for (int j = 0; i != k && j < 2 * n; j++) {
          a[i][j] -= factor * a[k][j];
        }
      }
    }
    double[][] inverse = new double[n][];
    for (int i = 0; i < n; i++) {
      inverse[i] = Arrays.copyOfRange(a[i], n, 2 * n);
    }
    return inverse;
  }

  /** One example: A has rank 1, and what is added to its diagonal is lost in rounding. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void dampingThatLeavesAGramMatrixSingularIsRefused(boolean sequential) {
    double[][] ones = new double[][] {{1, 1}, {1, 1}};
    Path model =
        TestCheckpoints.file(
            folder.resolve("singular.safetensors"),
            List.of(TestTensors.f64("m.weight", Shape.of(2, 2), Plain.flatten(ones))));
    Path statistics =
        TestCheckpoints.file(
            folder.resolve("F.safetensors"),
            List.of(TestTensors.f64("input_gram/m", Shape.of(2, 2), Plain.flatten(ones))));
    assertThatThrownBy(
            () ->
                Pruned.Setup.of(Scope.TENSOR)
                    .by(statistics)
                    .run(
                        model,
                        folder.resolve("out"),
                        0.5,
                        opened -> {
                          InputGram gram = new InputGram(opened, 1e-30);
                          return sequential
                              ? new Method.Sequential(gram)
                              : new Method.Refitted(new Obs(gram, TestDevice::get), gram);
                        }))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--damping 1.0E-30 leaves input_gram/m of " + statistics);
  }
}
