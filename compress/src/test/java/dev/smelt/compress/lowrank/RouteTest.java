package dev.smelt.compress.lowrank;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every route, in both precisions, against the best error there is and against other factors. */
class RouteTest {

  private static final int COMPETITORS = 1000;

  /** What rounding factors and products to f32 may add, relative to the norm. */
  private static final double SINGLE_ROUNDING = 2e-6;

  private static final double DOUBLE_ROUNDING = 1e-13;

  enum Kind {
    NONE,
    DIAGONAL,
    CHOLESKY
  }

  @SuppressWarnings("ArrayRecordComponent") // read-only
  private record Case(String name, double[][] w, int rank) {
    @Override
    public String toString() {
      return name + " at rank " + rank;
    }
  }

  private static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    cases.add(new Case("wide", Plain.random(48, 70, 1), 12));
    cases.add(new Case("tall", Plain.random(70, 48, 2), 12));
    cases.add(new Case("square", Plain.random(60, 60, 3), 20));
    cases.add(new Case("row", Plain.random(1, 9, 4), 1));
    cases.add(new Case("column", Plain.random(9, 1, 5), 1));
    cases.add(new Case("of lower rank", Plain.ofRank(50, 60, 6, 6), 9));
    cases.add(new Case("of just that rank", Plain.ofRank(60, 50, 9, 7), 9));
    cases.add(new Case("tiny", Plain.scale(Plain.random(44, 50, 8), 1e-30), 8));
    cases.add(new Case("huge", Plain.scale(Plain.random(50, 44, 9), 1e30), 8));
    cases.add(new Case("decaying", Plain.decaying(50, 60, 0.8, 10), 12));
    cases.add(new Case("decaying fast", Plain.decaying(60, 50, 0.5, 11), 10));
    cases.add(new Case("flat", orthonormal(56, 12), 14));
    cases.add(new Case("all of it", Plain.random(20, 30, 13), 20));
    return cases;
  }

  private static Stream<Arguments> routes() {
    List<Arguments> all = new ArrayList<>();
    for (Route route : Route.values()) {
      for (Precision precision : Precision.values()) {
        for (Kind kind : Kind.values()) {
          all.add(Arguments.of(route, precision, kind));
        }
      }
    }
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("routes")
  void noFactorsAreCloser(Route route, Precision precision, Kind kind) {
    for (Case one : cases()) {
      double rounding = precision == Precision.F32 ? SINGLE_ROUNDING : DOUBLE_ROUNDING;
      double[][] left = root(kind, one.w().length, 21);
      double[][] right = root(kind, one.w()[0].length, 22);
      double[][] t = weighted(one.w(), left, right);
      double norm = Plain.frobenius(t);
      double best = Plain.tail(Plain.singularValues(t), one.rank());
      double[][][] factors = factors(one, route, precision, left, right, kind);
      double ours = error(t, factors[0], factors[1], left, right);
      assertThat(ours)
          .as(one.toString())
          .isLessThanOrEqualTo(best * (1 + RouteOptions.DEFAULT.tolerance()) + rounding * norm);
    }
  }

  @ParameterizedTest
  @MethodSource("routes")
  void aThousandCompetitorsAreFarther(Route route, Precision precision, Kind kind) {
    Case one = new Case("decaying", Plain.decaying(30, 40, 0.9, 30), 5);
    double[][] left = root(kind, 30, 31);
    double[][] right = root(kind, 40, 32);
    double[][] t = weighted(one.w(), left, right);
    double[][][] factors = factors(one, route, precision, left, right, kind);
    double ours = error(t, factors[0], factors[1], left, right);
    SplittableRandom random = new SplittableRandom(33);
    for (int i = 0; i < COMPETITORS; i++) {
      double distance = Math.pow(10, -2 * random.nextDouble());
      double[][] a = Plain.add(factors[0], distance, Plain.random(30, 5, 1000 + i));
      double[][] b = Plain.add(factors[1], distance, Plain.random(5, 40, 3000 + i));
      assertThat(error(t, a, b, left, right)).isGreaterThan(ours);
    }
  }

  @Test
  void everyCutOfTheFactorsIsTheBestOfItsRank() {
    double[][] w = Plain.decaying(60, 70, 0.93, 40);
    double[] spectrum = Plain.singularValues(w);
    double[][] none = root(Kind.NONE, 1, 0);
    for (Route route : Route.values()) {
      Case one = new Case("cut", w, 24);
      double[][][] factors = factors(one, route, Precision.F32, none, none, Kind.NONE);
      for (int rank = 1; rank <= 24; rank++) {
        double[][] a = columns(factors[0], rank);
        double[][] b = Plain.transpose(columns(Plain.transpose(factors[1]), rank));
        assertThat(Plain.frobenius(Plain.subtract(w, Plain.multiply(a, b))))
            .as("%s cut to %d", route, rank)
            .isLessThanOrEqualTo(
                Plain.tail(spectrum, rank) * (1 + RouteOptions.DEFAULT.tolerance())
                    + SINGLE_ROUNDING * Plain.tail(spectrum, 0));
      }
    }
  }

  @Test
  void theRouteAskedForGivesTheResultWhereItIsGoodEnough() {
    double[][] w = Plain.random(60, 80, 50);
    for (Route route : Route.values()) {
      try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
        Decomposition found =
            new Decomposer(algebra, RouteOptions.first(route))
                .decompose(load(algebra, w, Precision.F32), Weighting.NONE, 24);
        assertThat(found.route()).isEqualTo(route);
      }
    }
  }

  @Test
  void whatARouteCannotResolveTheNextOneDoes() {
    // Beyond rank 12 there is only 1e-9 of the norm: below what f64 resolves in a Gram matrix.
    double[][] w = Plain.add(Plain.ofRank(40, 50, 12, 60), 1e-9, Plain.decaying(40, 50, 0.7, 61));
    double best = Plain.tail(Plain.singularValues(w), 16);
    double[][] none = root(Kind.NONE, 1, 0);
    for (Route route : Route.values()) {
      try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
        Decomposition found =
            new Decomposer(algebra, RouteOptions.first(route))
                .decompose(load(algebra, w, Precision.F64), Weighting.NONE, 16);
        assertThat(found.route()).isEqualTo(Route.SVD);
        double[][] a = Plain.rows(found.a().toDoubles(), 16);
        double[][] b = Plain.rows(found.b().toDoubles(), 50);
        assertThat(error(w, a, b, none, none))
            .isLessThanOrEqualTo(best * 1.0001 + 1e-15 * Plain.frobenius(w));
      }
    }
  }

  @Test
  void theExpectedLossOfARandomSubspaceIsNotExceeded() {
    for (double ratio : new double[] {1, 0.99, 0.97, 0.9}) {
      double[][] w = ratio == 1 ? Plain.random(160, 200, 70) : Plain.decaying(160, 200, ratio, 71);
      double[] spectrum = Plain.singularValues(w);
      for (int rank : new int[] {8, 20, 50}) {
        try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
          Matrix x = load(algebra, w, Precision.F64);
          double total = Math.pow(algebra.frobenius(x), 2);
          Allowance allowance = new Allowance(total, 1e-2, Precision.F64.unitRoundoff());
          Directions found = RandomRoute.find(algebra, x, rank, allowance).orElseThrow();
          double kept = Math.pow(algebra.frobenius(found.c()), 2);
          double tail = Math.pow(Plain.tail(spectrum, rank), 2);
          double loss = total - kept - tail;
          assertThat(loss)
              .as("ratio %s, rank %d", ratio, rank)
              .isLessThanOrEqualTo(found.lost() * allowance.at(total - kept) + 1e-13 * total);
        }
      }
    }
  }

  @Test
  void theSameSeedGivesTheSameFactors() {
    double[][] w = Plain.random(70, 60, 80);
    double[][] none = root(Kind.NONE, 1, 0);
    Case one = new Case("again", w, 10);
    double[][][] first = factors(one, Route.RANDOM, Precision.F32, none, none, Kind.NONE);
    double[][][] second = factors(one, Route.RANDOM, Precision.F32, none, none, Kind.NONE);
    assertThat(second).isDeepEqualTo(first);
  }

  private static double[][][] factors(
      Case one, Route route, Precision precision, double[][] left, double[][] right, Kind kind) {
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
      Weighting weighting =
          new Weighting(weight(algebra, kind, left), weight(algebra, kind, right), 1);
      Decomposition found =
          new Decomposer(algebra, RouteOptions.first(route))
              .decompose(load(algebra, one.w(), precision), weighting, one.rank());
      assertThat(found.a().precision()).isEqualTo(precision);
      assertThat(found.spectrum().size()).isGreaterThanOrEqualTo(one.rank());
      return new double[][][] {
        Plain.rows(found.a().toDoubles(), one.rank()),
        Plain.rows(found.b().toDoubles(), one.w()[0].length)
      };
    }
  }

  private static Matrix load(LinearAlgebra algebra, double[][] w, Precision precision) {
    return algebra.convert(algebra.matrix(w.length, w[0].length, Plain.flatten(w)), precision);
  }

  private static Weight weight(LinearAlgebra algebra, Kind kind, double[][] root) {
    return switch (kind) {
      case NONE -> Weight.NONE;
      case DIAGONAL -> {
        double[] roots = new double[root.length];
        for (int i = 0; i < roots.length; i++) {
          roots[i] = root[i][i];
        }
        yield new Weight.Diagonal(roots);
      }
      case CHOLESKY ->
          new Weight.Cholesky(algebra.matrix(root.length, root.length, Plain.flatten(root)));
    };
  }

  /** Lower triangular, with a diagonal over a decade; empty where there is no weight. */
  private static double[][] root(Kind kind, int size, long seed) {
    if (kind == Kind.NONE) {
      return new double[0][];
    }
    SplittableRandom random = new SplittableRandom(seed);
    double[][] root = new double[size][size];
    for (int i = 0; i < size; i++) {
      root[i][i] = Math.pow(10, random.nextDouble() - 0.5);
      for (int j = 0; j < i && kind == Kind.CHOLESKY; j++) {
        root[i][j] = 0.3 * random.nextGaussian() / Math.sqrt(size);
      }
    }
    return root;
  }

  /** Lᵀ X R for the roots L and R. */
  private static double[][] weighted(double[][] x, double[][] left, double[][] right) {
    double[][] half = left.length == 0 ? x : Plain.multiply(Plain.transpose(left), x);
    return right.length == 0 ? half : Plain.multiply(half, right);
  }

  /** ‖T − LᵀABR‖. */
  private static double error(
      double[][] t, double[][] a, double[][] b, double[][] left, double[][] right) {
    double[][] leftDone = left.length == 0 ? a : Plain.multiply(Plain.transpose(left), a);
    double[][] rightDone = right.length == 0 ? b : Plain.multiply(b, right);
    return Plain.frobenius(Plain.subtract(t, Plain.multiply(leftDone, rightDone)));
  }

  private static double[][] columns(double[][] a, int count) {
    double[][] columns = new double[a.length][];
    for (int i = 0; i < a.length; i++) {
      columns[i] = Arrays.copyOf(a[i], count);
    }
    return columns;
  }

  /** By the Gram-Schmidt process. */
  private static double[][] orthonormal(int size, long seed) {
    double[][] q = Plain.random(size, size, seed);
    for (int i = 0; i < size; i++) {
      for (int twice = 0; twice < 2; twice++) {
        for (int j = 0; j < i; j++) {
          double dot = 0;
          for (int k = 0; k < size; k++) {
            dot += q[i][k] * q[j][k];
          }
          for (int k = 0; k < size; k++) {
            q[i][k] -= dot * q[j][k];
          }
        }
      }
      double norm = Plain.frobenius(new double[][] {q[i]});
      for (int k = 0; k < size; k++) {
        q[i][k] /= norm;
      }
    }
    return q;
  }
}
