package dev.smelt.compress.lowrank;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Decomposes weighted matrices, in the precision that they come in.
 *
 * <p>The route is chosen by shape and rank. Each one says how far from the best result it may be;
 * when that is beyond the tolerance, the next safer one takes its place: a random subspace, the
 * Gram matrix in the matrix's own precision, the Gram matrix in f64, a full SVD in f64.
 *
 * <p>W and T are taken in units of a power of two near their norms where these are far from 1. This
 * is exact, and keeps the squares of very small and very large weights in range.
 */
public final class Decomposer {

  /** Norms between 2^−16 and 2^16 are left as they are: their squares are in range of f32. */
  private static final int HARMLESS_EXPONENT = 16;

  /** Largest exponent of a norm that f32 represents after scaling, subnormal elements included. */
  private static final int SINGLE_EXPONENT = 90;

  /** Smaller matrices cost nothing in f64. */
  private static final int SMALL_SIDE = 128;

  private final LinearAlgebra algebra;
  private final RouteOptions options;

  public Decomposer(LinearAlgebra algebra) {
    this(algebra, RouteOptions.DEFAULT);
  }

  public Decomposer(LinearAlgebra algebra, RouteOptions options) {
    this.algebra = algebra;
    this.options = options;
  }

  /** One way to directions, with what it computes in. */
  private record Attempt(Route route, Precision precision) {}

  /**
   * X · 2^−exponent.
   *
   * @param norm of the scaled matrix
   */
  private record Scaled(Matrix matrix, int exponent, double norm) {}

  /**
   * @param dense W, out×in
   * @param rank k, how many directions are wanted, at most min(out, in)
   */
  public Decomposition decompose(Matrix dense, Weighting weighting, int rank) {
    try (LinearAlgebra inner = algebra.inner()) {
      Scaled plain = scaled(inner, dense);
      Scaled weighted =
          weighting.isIdentity()
              ? new Scaled(plain.matrix(), 0, plain.norm())
              : scaled(inner, weighting.apply(inner, plain.matrix()));
      int exponent = plain.exponent() + weighted.exponent();
      double norm = weighted.norm();
      boolean wide = dense.rows() <= dense.cols();
      Matrix x = wide ? weighted.matrix() : inner.transpose(weighted.matrix());
      Found found = find(inner, x, rank, norm);
      Directions directions = found.directions();
      Matrix left = wide ? directions.u() : inner.transpose(directions.c());
      Matrix right = wide ? directions.c() : inner.transpose(directions.u());
      Matrix a = weighting.undoLeft(inner, left);
      Matrix b = power(inner, weighting.undoRight(inner, right), exponent);
      double[] balance = balance(inner.rowNorms(inner.transpose(a)), inner.rowNorms(b));
      Matrix scaledA = inner.scaleColumns(a, balance);
      Matrix scaledB = inner.scaleRows(b, Weight.Diagonal.inverse(balance));
      return new Decomposition(
          new Spectrum(scaled(directions.values(), exponent), Math.scalb(norm, exponent)),
          algebra.keep(inner.convert(scaledA, dense.precision())),
          algebra.keep(inner.convert(scaledB, dense.precision())),
          found.route());
    }
  }

  private record Found(Directions directions, Route route) {}

  private Found find(LinearAlgebra inner, Matrix x, int rank, double norm) {
    Allowance allowance =
        new Allowance(norm * norm, options.tolerance(), x.precision().unitRoundoff());
    List<Attempt> attempts = attempts(x, rank);
    for (Attempt attempt : attempts) {
      boolean last = attempt.equals(attempts.getLast());
      try (LinearAlgebra one = inner.inner()) {
        Optional<Directions> found = attempt(one, attempt, x, rank, allowance);
        if (found.isPresent() && (last || found.get().isGood(one))) {
          inner.keep(found.get().u());
          inner.keep(found.get().c());
          return new Found(found.get(), attempt.route());
        }
      }
    }
    throw new IllegalStateException("the last route always gives a result");
  }

  private static Optional<Directions> attempt(
      LinearAlgebra algebra, Attempt attempt, Matrix x, int rank, Allowance allowance) {
    return switch (attempt.route()) {
      case RANDOM -> RandomRoute.find(algebra, x, rank, allowance);
      case GRAM -> Optional.of(GramRoute.find(algebra, x, rank, attempt.precision(), allowance));
      case SVD -> Optional.of(SvdRoute.find(algebra, x, rank, attempt.precision(), allowance));
    };
  }

  /** From the fastest that suits to the safest. */
  private List<Attempt> attempts(Matrix x, int rank) {
    Route first = options.preferred().orElseGet(() -> fastest(x.rows(), rank));
    List<Attempt> attempts = new ArrayList<>();
    if (first == Route.RANDOM) {
      attempts.add(new Attempt(Route.RANDOM, x.precision()));
    }
    if (first != Route.SVD) {
      if (x.precision() == Precision.F32 && x.rows() > SMALL_SIDE) {
        attempts.add(new Attempt(Route.GRAM, Precision.F32));
      }
      attempts.add(new Attempt(Route.GRAM, Precision.F64));
    } else if (x.precision() == Precision.F32) {
      attempts.add(new Attempt(Route.SVD, Precision.F32));
    }
    attempts.add(new Attempt(Route.SVD, Precision.F64));
    return attempts;
  }

  private static Route fastest(int smallerSide, int rank) {
    return RandomRoute.suits(smallerSide, rank) ? Route.RANDOM : Route.GRAM;
  }

  private static Scaled scaled(LinearAlgebra algebra, Matrix x) {
    double norm = algebra.frobenius(x);
    int exponent = norm == 0 ? 0 : Math.getExponent(norm);
    if (Math.abs(exponent) <= HARMLESS_EXPONENT) {
      return new Scaled(x, 0, norm);
    }
    Matrix safe = Math.abs(exponent) > SINGLE_EXPONENT ? algebra.convert(x, Precision.F64) : x;
    return new Scaled(power(algebra, safe, -exponent), exponent, Math.scalb(norm, -exponent));
  }

  private static double[] scaled(double[] values, int exponent) {
    double[] scaled = new double[values.length];
    Arrays.setAll(scaled, i -> Math.scalb(values[i], exponent));
    return scaled;
  }

  /** √(b/a); 1 for directions that carry nothing. */
  private static double[] balance(double[] a, double[] b) {
    double[] balance = new double[a.length];
    for (int i = 0; i < balance.length; i++) {
      balance[i] = a[i] > 0 && b[i] > 0 ? Math.sqrt(b[i]) / Math.sqrt(a[i]) : 1;
    }
    return balance;
  }

  /** X · 2^e, exactly; every e from −1023 to 1023 has its power in f64. */
  private static Matrix power(LinearAlgebra algebra, Matrix x, int e) {
    if (e == 0) {
      return x;
    }
    double[] factors = new double[x.rows()];
    Arrays.fill(factors, Math.scalb(1.0, e));
    return algebra.scaleRows(x, factors);
  }
}
