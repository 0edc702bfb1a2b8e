package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.arc.ModelStockMerge;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Model Stock against the formula of its paper, and against the geometry that it stands for. */
class ModelStockMergeTest {

  private static final double TOLERANCE = 4e-15;

  @TempDir private Path folder;

  /**
   * @param models the base first
   */
  private double[] merge(boolean filterWise, TestTensor... models) {
    try (Scenario scenario = new Scenario(folder)) {
      for (TestTensor model : models) {
        scenario.model(model);
      }
      return scenario.run(new ModelStockMerge(filterWise)).tensor("w").toDoubles();
    }
  }

  private static TestTensor[] tensors(Shape shape, double[]... values) {
    return Arrays.stream(values).map(value -> f64("w", shape, value)).toArray(TestTensor[]::new);
  }

  private static double stock(double[][] theta) {
    int n = theta.length - 1;
    double sum = 0;
    for (int i = 1; i <= n; i++) {
      for (int j = i + 1; j <= n; j++) {
        sum +=
            Math.cos(
                Vector.angle(Vector.minus(theta[i], theta[0]), Vector.minus(theta[j], theta[0])));
      }
    }
    double c = sum / (n * (n - 1) / 2.0);
    return n * c / (1 + (n - 1) * c);
  }

  private static double[] drawn(double[][] theta, double t) {
    int n = theta.length - 1;
    double[] mean = new double[theta[0].length];
    for (int i = 1; i <= n; i++) {
      mean = Vector.plus(mean, Vector.times(1.0 / n, theta[i]));
    }
    return Vector.plus(Vector.times(t, mean), Vector.times(1 - t, theta[0]));
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 5})
  void modelStockIsTheFormulaOfThePaper(int n) {
    Shape shape = Shape.of(17, 23);
    double[][] theta = new double[n + 1][];
    for (int i = 0; i <= n; i++) {
      theta[i] = new SplittableRandom(i).doubles(17 * 23, -1, 1).toArray();
    }
    TestTensor[] models = tensors(shape, theta);
    assertThat(merge(false, models)).containsExactly(drawn(theta, stock(theta)), within(TOLERANCE));
    assertThat(merge(true, models))
        .containsExactly(
            Vector.byRows(theta, 17, row -> drawn(row, Math.max(0, stock(row)))),
            within(TOLERANCE));
    TestTensor[] filters = tensors(Shape.of(17, 23, 1, 1), theta);
    assertThat(merge(true, filters)).containsExactly(merge(true, models));
    TestTensor[] bias = tensors(Shape.of(17 * 23), theta);
    assertThat(merge(true, bias)).containsExactly(merge(false, models));
  }

  /** Of changes of one length at equal angles, with the centre that they are drawn around. */
  @Test
  void modelStockIsThePointNearestToTheCentre() {
    double[] base = {5, 5, 5, 5};
    double[] centre = {0, 0, 0, 2};
    double[][] changes = {{1, 0, 0, 2}, {0, 1, 0, 2}, {0, 0, 1, 2}};
    double[][] theta = {base, base, base, base};
    for (int i = 0; i < 3; i++) {
      theta[i + 1] = Vector.plus(base, changes[i]);
    }
    double[] found = Vector.minus(merge(false, tensors(Shape.of(4), theta)), base);
    double[] mean = {1 / 3.0, 1 / 3.0, 1 / 3.0, 2};
    double foot = Vector.dot(centre, mean) / Vector.dot(mean, mean);
    assertThat(found).containsExactly(Vector.times(foot, mean), within(1e-14));
  }

  @Test
  void modelStockOfChangesThatDisagreeIsTheBase() {
    double[] base = {1, 2, 3};
    for (double[] other : new double[][] {{0, 1, 0}, {-1, 1, 0}, {-1, 0, 0}, {0, 0, 0}}) {
      double[] one = Vector.plus(base, new double[] {1, 0, 0});
      double[] two = Vector.plus(base, other);
      assertThat(merge(false, tensors(Shape.of(3), base, one, two))).containsExactly(base);
    }
  }

  @Test
  void changesTooSmallForMergekitHaveTheirAngle() {
    double[] base = {1, 1};
    double[] a = {1 + 0x1p-20, 1};
    double[] b = {1 + 0x1p-20, 1 + 0x1p-20};
    double c = Math.sqrt(0.5);
    double t = 2 * c / (1 + c);
    double[] found = merge(false, tensors(Shape.of(2), base, a, b));
    assertThat(found)
        .containsExactly(new double[] {1 + t * 0x1p-20, 1 + t * 0x1p-21}, within(1e-15));
  }
}
