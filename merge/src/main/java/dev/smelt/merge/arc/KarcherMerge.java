package dev.smelt.merge.arc;

import dev.smelt.merge.mean.Combination;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Range;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The mean of several models along the sphere, each tensor as one vector: of the directions uᵢ =
 * θᵢ/‖θᵢ‖ the point with the least sum of squared angles to them, at the mean length.
 *
 * <pre>  θ* = mean ‖θᵢ‖ · argmin_{‖m‖=1} Σ arccos²(m·uᵢ)</pre>
 *
 * <p>Found by steps m ← cos‖τ‖ m + sin‖τ‖ τ/‖τ‖ from the normalised mean of the uᵢ, where τ is the
 * mean of log_m uᵢ = Ωᵢ/sin Ωᵢ · (uᵢ − cos Ωᵢ m), cos Ωᵢ = m·uᵢ. All of these are combinations of
 * the uᵢ, so the steps are taken on their coefficients and the tensors are read once. Tensors of
 * zeros have no direction and count by their length only.
 *
 * <p>Where all tensors are parallel, their directions have no mean, or one of them is opposite to
 * it, θ* = mean θᵢ. Grove and Karcher, "How to conjugate C¹-close group actions", Mathematische
 * Zeitschrift 132, 1973. Mergekit starts from the first model where the mean vanishes, so that the
 * order of models matters there, and leaves tensors out whose norm is below the tolerance.
 *
 * @param maxIterations steps at most
 * @param tolerance ‖τ‖ in radians below which m stays
 */
public record KarcherMerge(long maxIterations, double tolerance) implements MergeMethod {

  public static final long DEFAULT_MAX_ITERATIONS = 10;
  public static final double DEFAULT_TOLERANCE = 1e-5;

  /** Steps take microseconds; those of more do no good. */
  private static final long MOST_ITERATIONS = 1_000_000;

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "karcher",
          "Mean of several models along the sphere",
          "θ* = mean ‖θᵢ‖ · argmin Σ arccos²(m·θᵢ/‖θᵢ‖) over m of length 1",
          "Grove and Karcher, How to conjugate C1-close group actions, Math. Z. 132, 1973",
          MethodDescription.Inputs.MODELS,
          List.of(
              Parameter.whole(
                  "max_iter", DEFAULT_MAX_ITERATIONS, 0, MOST_ITERATIONS, "steps at most"),
              Parameter.number(
                  "tol", DEFAULT_TOLERANCE, Range.NOT_NEGATIVE, "radians that are no step")),
          values -> new KarcherMerge(values.whole("max_iter"), values.number("tol")));

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public Prepared prepare(Context context) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("max_iter", maxIterations);
    parameters.put("tol", tolerance);
    ChunkKernel mean = Combination.mean(List.of(), context.models());
    ArcSurvey survey = new ArcSurvey(Vectors.WHOLE, false, this::mix, mean);
    return new Prepared(new Arithmetic.OfTensors(survey), parameters);
  }

  private Optional<double[]> mix(Angles angles) {
    int k = angles.count();
    double[] m = new double[k];
    Arrays.fill(m, 1.0 / k);
    double length = angles.length(m);
    if (angles.isParallel(m) || angles.cancel(m)) {
      return Optional.empty();
    }
    normalize(angles, m);
    for (long step = 0; step < maxIterations; step++) {
      double[] tau = new double[k];
      if (!addLogarithms(angles, m, tau)) {
        return Optional.empty();
      }
      double norm = angles.norm(tau);
      if (norm < tolerance || norm == 0) {
        break;
      }
      for (int i = 0; i < k; i++) {
        m[i] = Math.cos(norm) * m[i] + Math.sin(norm) / norm * tau[i];
      }
      normalize(angles, m);
    }
    return Optional.of(angles.ofVectors(m, length));
  }

  private static void normalize(Angles angles, double[] m) {
    double norm = angles.norm(m);
    for (int i = 0; i < m.length; i++) {
      m[i] /= norm;
    }
  }

  /**
   * τ, the mean of log_m uᵢ over the vectors that are not zero.
   *
   * @return false where one of them is opposite to m and has none
   */
  private static boolean addLogarithms(Angles angles, double[] m, double[] tau) {
    double count = m.length - angles.zeros();
    for (int i = 0; i < m.length; i++) {
      if (!angles.isZero(i)) {
        double cosine = Math.clamp(angles.dot(m, i), -1, 1);
        if (Angles.isOpposite(cosine)) {
          return false;
        }
        double angle = Math.acos(cosine);
        double share = (angle == 0 ? 1 : angle / Math.sin(angle)) / count;
        tau[i] += share;
        for (int j = 0; j < m.length; j++) {
          tau[j] -= share * cosine * m[j];
        }
      }
    }
    return true;
  }
}
