package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f64;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.arc.KarcherMerge;
import dev.smelt.merge.arc.MultislerpMerge;
import dev.smelt.merge.arc.NuslerpMerge;
import dev.smelt.merge.arc.SlerpMerge;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.Operand;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Means on spheres against the same geometry of whole vectors, and against what is known of it. */
class SphereMergeTest {

  private static final int ROWS = 17;
  private static final int COLUMNS = 23;

  @TempDir private Path folder;

  /** The values of a tensor in all models, and what was merged. */
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  private record Outcome(double[][] theta, double[] merged) {

    private void assertEquals(double[] expected) {
      assertThat(merged).containsExactly(expected);
    }

    private void assertIs(double[] expected) {
      assertThat(merged).hasSameSizeAs(expected);
      double error = Vector.norm(Vector.minus(merged, expected));
      assertThat(error).isLessThanOrEqualTo(1e-14 * Vector.norm(expected));
    }
  }

  private Outcome merge(MergeMethod method, TestTensor... models) {
    try (Scenario scenario = new Scenario(folder)) {
      for (TestTensor model : models) {
        scenario.model(model);
      }
      List<Operand> theta = scenario.plan(method).merged().getFirst().operands().theta();
      return new Outcome(
          theta.stream().map(one -> one.view().toDoubles()).toArray(double[][]::new),
          scenario.run(method).tensor("w").toDoubles());
    }
  }

  /** As many as there are; the values of all are near those of the first. */
  private static TestTensor[] models(int count) {
    TestTensor[] models = new TestTensor[count];
    for (int i = 0; i < count; i++) {
      models[i] = random("w", DType.F64, 40 + i, ROWS, COLUMNS);
    }
    return models;
  }

  private static TestTensor[] vectors(double[]... values) {
    return Arrays.stream(values)
        .map(value -> f64("w", Shape.of(value.length), value))
        .toArray(TestTensor[]::new);
  }

  private static double[] slerp(double[] a, double[] b, double t) {
    double angle = Vector.angle(a, b);
    double sine = Math.sin(angle);
    return Vector.plus(
        Vector.times(Math.sin((1 - t) * angle) / sine, a),
        Vector.times(Math.sin(t * angle) / sine, b));
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "0.6, 0.4", "3, 1", "2, -1", "-1, -3"})
  void nuslerpOfWholeTensors(double first, double second) {
    double t = second / (first + second);
    List<Double> weights = List.of(first, second);
    Outcome found = merge(new NuslerpMerge(weights, true, false, false), models(2));
    found.assertIs(slerp(found.theta()[0], found.theta()[1], t));
    Outcome changes = merge(new NuslerpMerge(weights, true, false, true), models(3));
    double[] base = changes.theta()[0];
    changes.assertIs(
        Vector.plus(
            base,
            slerp(
                Vector.minus(changes.theta()[1], base),
                Vector.minus(changes.theta()[2], base),
                t)));
  }

  @ParameterizedTest
  @CsvSource({"17, 23", "9, 4099", "4099, 9"})
  void nuslerpOfRowsAndColumns(int rows, int columns) {
    Function<double[][], double[]> quarter = pair -> slerp(pair[0], pair[1], 0.25);
    List<Double> weights = List.of(0.75, 0.25);
    TestTensor a = random("w", DType.F64, 51, rows, columns);
    TestTensor b = random("w", DType.F64, 52, rows, columns);
    TestTensor base = random("w", DType.F64, 53, rows, columns);
    Outcome whole = merge(new NuslerpMerge(weights, true, false, false), a, b);
    whole.assertIs(quarter.apply(whole.theta()));
    Outcome byRows = merge(new NuslerpMerge(weights, false, false, false), a, b);
    byRows.assertIs(Vector.byRows(byRows.theta(), rows, quarter));
    Outcome byColumns = merge(new NuslerpMerge(weights, false, true, false), a, b);
    byColumns.assertIs(byColumns(byColumns.theta(), rows, quarter));
    Outcome changes = merge(new NuslerpMerge(weights, false, true, true), base, a, b);
    double[] from = changes.theta()[0];
    double[][] deltas = {
      Vector.minus(changes.theta()[1], from), Vector.minus(changes.theta()[2], from)
    };
    changes.assertIs(Vector.plus(from, byColumns(deltas, rows, quarter)));
  }

  private static double[] byColumns(
      double[][] theta, int rows, Function<double[][], double[]> mean) {
    double[][] turned =
        Arrays.stream(theta).map(one -> transposed(one, rows)).toArray(double[][]::new);
    int columns = theta[0].length / rows;
    return transposed(Vector.byRows(turned, columns, mean), columns);
  }

  private static double[] transposed(double[] matrix, int rows) {
    int columns = matrix.length / rows;
    double[] turned = new double[matrix.length];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        turned[c * rows + r] = matrix[r * columns + c];
      }
    }
    return turned;
  }

  @Test
  void nuslerpOfSomeRowsWithoutAnAngle() {
    double[] a = {1, 0, 2, 4, 3, 3, 0, 0};
    double[] b = {0, 1, 1, 2, -3, -3, 1, 8};
    Outcome found =
        merge(
            new NuslerpMerge(List.of(1.0, 1.0), false, false, false),
            f64("w", Shape.of(4, 2), a),
            f64("w", Shape.of(4, 2), b));
    double half = Math.sqrt(0.5);
    found.assertIs(new double[] {half, half, 1.5, 3, 0, 0, 0.5, 4});
  }

  @Test
  void filtersOfConvolutionsAreWholeVectors() {
    TestTensor a = random("w", DType.F64, 1, 5, 3, 2, 2);
    TestTensor b = random("w", DType.F64, 2, 5, 3, 2, 2);
    Outcome found = merge(new NuslerpMerge(List.of(1.0, 1.0), false, false, false), a, b);
    found.assertIs(Vector.byRows(found.theta(), 5, pair -> slerp(pair[0], pair[1], 0.5)));
  }

  /**
   * The steps that mergekit takes: to the plane that touches the sphere at the mean, the mean in
   * that plane, and back to the sphere.
   */
  private static double[] throughTangents(double[][] theta, double[] w) {
    double[] mean = new double[theta[0].length];
    double length = 0;
    for (int i = 0; i < w.length; i++) {
      mean = Vector.plus(mean, Vector.times(w[i], Vector.unit(theta[i])));
      length += w[i] * Vector.norm(theta[i]);
    }
    double[] m = Vector.unit(mean);
    double[] tangent = new double[m.length];
    for (int i = 0; i < w.length; i++) {
      double[] u = Vector.unit(theta[i]);
      double[] projected = Vector.minus(u, Vector.times(Vector.dot(u, m), m));
      tangent = Vector.plus(tangent, Vector.times(w[i], projected));
    }
    return Vector.times(length, Vector.exponential(m, tangent));
  }

  @Test
  void multislerpIsTheWayThroughTheTangentPlane() {
    List<Double> weights = List.of(2.0, 1.0, 5.0);
    double[] shares = {0.25, 0.125, 0.625};
    Outcome found = merge(new MultislerpMerge(weights, true, 1e-8, false), models(3));
    found.assertIs(throughTangents(found.theta(), shares));
    Outcome as = merge(new MultislerpMerge(weights, false, 1e-8, false), models(3));
    as.assertIs(throughTangents(as.theta(), new double[] {2, 1, 5}));
    Outcome changes = merge(new MultislerpMerge(weights, true, 1e-8, true), models(4));
    double[] base = changes.theta()[0];
    double[][] deltas =
        Arrays.stream(changes.theta())
            .skip(1)
            .map(one -> Vector.minus(one, base))
            .toArray(double[][]::new);
    changes.assertIs(Vector.plus(base, throughTangents(deltas, shares)));
  }

  @Test
  void directionsThatCancelAreAveraged() {
    double[] a = {1, 2};
    double[] b = {-2, -4};
    double[] c = {4, -2};
    double[] d = {-8, 4};
    List<Double> weights = List.of(1.0, 1.0, 1.0, 1.0);
    double[] mean = {-1.25, 0};
    merge(new MultislerpMerge(weights, true, 1e-8, false), vectors(a, b, c, d)).assertIs(mean);
    merge(new KarcherMerge(10, 1e-5), vectors(a, b, c, d)).assertIs(mean);
    merge(new MultislerpMerge(weights, false, 1e-8, false), vectors(a, b, c, d))
        .assertIs(new double[] {-5, 0});
    double[] base = {3, 3};
    merge(
            new MultislerpMerge(weights, false, 1e-8, true),
            vectors(
                base,
                Vector.plus(base, a),
                Vector.plus(base, b),
                Vector.plus(base, c),
                Vector.plus(base, d)))
        .assertIs(new double[] {-2, 3});
  }

  /** The iteration of mergekit, on vectors. */
  private static double[] karcher(double[][] theta, int steps) {
    double[] sum = new double[theta[0].length];
    double length = 0;
    List<double[]> units = new ArrayList<>();
    for (double[] one : theta) {
      units.add(Vector.unit(one));
      sum = Vector.plus(sum, Vector.unit(one));
      length += Vector.norm(one) / theta.length;
    }
    double[] m = Vector.unit(sum);
    for (int step = 0; step < steps; step++) {
      double[] tangent = new double[m.length];
      for (double[] u : units) {
        tangent = Vector.plus(tangent, Vector.times(1.0 / units.size(), Vector.logarithm(m, u)));
      }
      m = Vector.unit(Vector.exponential(m, tangent));
    }
    return Vector.times(length, m);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3, 10})
  void karcherTakesTheStepsOfWholeVectors(int steps) {
    TestTensor[] models =
        vectors(
            new double[] {1, 0.2, 0.1, 0},
            new double[] {0.3, 4, 0, 0.5},
            new double[] {0, -0.1, 2, 1},
            new double[] {0.9, 0.3, 0.2, 0});
    Outcome found = merge(new KarcherMerge(steps, 0), models);
    found.assertIs(karcher(found.theta(), steps));
  }

  @Test
  void atTheKarcherMeanTheWaysToAllModelsCancel() {
    Outcome found = merge(new KarcherMerge(1000, 1e-12), models(5));
    double[] m = Vector.unit(found.merged());
    double[] sum = new double[m.length];
    double length = 0;
    for (double[] one : found.theta()) {
      sum = Vector.plus(sum, Vector.logarithm(m, Vector.unit(one)));
      length += Vector.norm(one) / 5;
    }
    assertThat(Vector.norm(sum)).isLessThan(1e-7);
    assertThat(Vector.norm(found.merged())).isCloseTo(length, within(1e-12));
  }

  @Test
  void ofThreeOrthogonalVectorsTheMeanIsTheDiagonal() {
    double side = 2 / Math.sqrt(3);
    double[] expected = {side, side, side};
    TestTensor[] models =
        vectors(new double[] {1, 0, 0}, new double[] {0, 2, 0}, new double[] {0, 0, 3});
    merge(new KarcherMerge(10, 1e-5), models).assertIs(expected);
    merge(new MultislerpMerge(List.of(1.0, 1.0, 1.0), true, 1e-8, false), models)
        .assertIs(expected);
  }

  @Test
  void ofTwoModelsOfOneLengthAllAgreeOnTheMiddle() {
    double[] a = {0.6, 0.8, 0};
    double[] b = {0, -0.6, 0.8};
    double[] expected = merge(new SlerpMerge(0.5), vectors(a, b)).merged();
    List<Double> weights = List.of(1.0, 1.0);
    for (MergeMethod method :
        List.of(
            new NuslerpMerge(weights, true, false, false),
            new MultislerpMerge(weights, true, 1e-8, false),
            new KarcherMerge(10, 1e-5))) {
      merge(method, vectors(a, b)).assertIs(expected);
    }
  }

  @Test
  void zerosHaveNoDirectionButALength() {
    double[] a = {3, 0};
    double[] b = {0, 3};
    double[] zero = {0, 0};
    double side = 2 * Math.sqrt(0.5);
    merge(new KarcherMerge(10, 1e-5), vectors(a, zero, b)).assertIs(new double[] {side, side});
    merge(new MultislerpMerge(List.of(1.0, 1.0, 1.0), true, 1e-8, false), vectors(a, zero, b))
        .assertIs(new double[] {side, side});
    merge(new KarcherMerge(10, 1e-5), vectors(zero, a)).assertIs(new double[] {1.5, 0});
    merge(new KarcherMerge(10, 1e-5), vectors(zero, zero)).assertIs(zero);
  }

  /** θ₁ + θ₂ over 2cos(Ω/2), Ω = π − arctan 0.1, though its terms are beyond f64. */
  @Test
  void sumsThatOnlyPassTheRangeAreFinite() {
    double large = 1.7e308;
    double[] found =
        merge(
                new NuslerpMerge(List.of(1.0, 1.0), true, false, false),
                vectors(new double[] {large, 0}, new double[] {-large, large / 10}))
            .merged();
    double expected = large / 20 / Math.sin(Math.atan(0.1) / 2);
    assertThat(found).containsExactly(new double[] {0, expected}, within(1e-12 * large));
    double[] changes =
        merge(
                new NuslerpMerge(List.of(1.0, 1.0), true, false, true),
                vectors(
                    new double[] {0, 0},
                    new double[] {large, 0},
                    new double[] {-large, large / 10}))
            .merged();
    assertThat(changes).containsExactly(found);
  }

  @Test
  void modelsWithoutWeightAreNotLookedAt() {
    double[] a = {0.1, 0.7, 1e-9};
    double[] b = {5, -3, 1};
    merge(new MultislerpMerge(List.of(0.3, 0.0, 0.4), true, 1e-8, false), vectors(a, b, a))
        .assertEquals(a);
  }

  @Test
  void lengthsBeyondTheSquaresOfDoublesCount() {
    double[] a = {1e300, 0};
    double[] b = {0, 3e300};
    double side = 2e300 * Math.sqrt(0.5);
    double[] found = merge(new KarcherMerge(10, 1e-5), vectors(a, b)).merged();
    assertThat(found).containsExactly(new double[] {side, side}, within(1e286));
    double[] tiny =
        merge(
                new KarcherMerge(10, 1e-5),
                vectors(new double[] {1e-300, 0}, new double[] {0, 3e-300}))
            .merged();
    assertThat(tiny)
        .containsExactly(
            new double[] {side * 1e-300 * 1e-300, side * 1e-300 * 1e-300}, within(1e-314));
  }
}
