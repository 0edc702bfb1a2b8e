package dev.smelt.cli.report;

import com.fasterxml.jackson.annotation.JsonIgnore;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The spectra of a checkpoint's matrices, in stable keys. Energy is the sum of squared singular
 * values.
 *
 * @param base the checkpoint that was subtracted, if one was
 */
public record SpectrumReport(
    String name, String path, @Nullable String base, List<Matrix> matrices, List<String> commands) {

  public SpectrumReport {
    matrices = List.copyOf(matrices);
    commands = List.copyOf(commands);
  }

  /**
   * One matrix.
   *
   * @param fullRank min(m, n)
   * @param breakEvenRank at which factors have as many elements as the matrix, mn/(m+n)
   * @param norm Frobenius
   * @param effectiveRank exp of the entropy of the shares of energy
   * @param stableRank ‖W‖²/σ₁²
   * @param conditionNumber σ₁/σ_min
   * @param energyAt what factors of some size hold
   * @param rankFor what shares of the energy take
   * @param curve ranks and energies for a plot, from 0 to break-even; not in JSON
   */
  public record Matrix(
      String tensor,
      String shape,
      int fullRank,
      double breakEvenRank,
      double norm,
      double effectiveRank,
      double stableRank,
      double conditionNumber,
      List<Point> energyAt,
      List<Point> rankFor,
      @JsonIgnore List<Point> curve) {

    public Matrix {
      energyAt = List.copyOf(energyAt);
      rankFor = List.copyOf(rankFor);
      curve = List.copyOf(curve);
    }
  }

  /**
   * @param keep elements of the factors as a share of the matrix's
   * @param energy share held by the first {@code rank} directions
   */
  public record Point(double keep, int rank, double energy) {}
}
