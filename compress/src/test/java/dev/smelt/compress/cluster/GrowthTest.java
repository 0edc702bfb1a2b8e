package dev.smelt.compress.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.BiFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Bounds against full SVDs of the concatenation, over families of all kinds. */
class GrowthTest {

  /** Many more with -Dsmelt.families. */
  private static final int FAMILIES = Integer.getInteger("smelt.families", 1000);

  /** Of the energy: what rounding may add. */
  private static final double ROUNDING = 1e-9;

  private LinearAlgebra algebra;

  @BeforeEach
  void open() {
    algebra = TestDevice.get().linearAlgebra();
  }

  @AfterEach
  void close() {
    algebra.close();
  }

  private TruncatedSum head(Family family, int limit) {
    try (TruncatedSum empty = TruncatedSum.empty(algebra, limit)) {
      Member first = member(family, 0);
      return empty.plus(algebra, first.load(algebra), first.squaredNorm());
    }
  }

  private Member member(Family family, int index) {
    return Member.of(algebra, index, family.asBlocks().get(index), false);
  }

  /** Grows by one block after another and compares every bound with the truth. */
  private void bounds(BiFunction<Family, Integer, Growth> start) {
    for (int seed = 0; seed < FAMILIES; seed++) {
      Family family = Family.random(seed);
      int rank = new SplittableRandom(seed).nextInt(1, family.rows() + 1);
      List<Integer> taken = new ArrayList<>(List.of(0));
      try (Growth growth = start.apply(family, rank)) {
        check(family, taken, rank, growth.bound(), growth.lowerBound(), growth.total());
        for (int i = 1; i < family.blocks().size(); i++) {
          Member member = member(family, i);
          Matrix a = member.load(algebra);
          double before = growth.boundWith(algebra, member, a);
          growth.add(algebra, member, a);
          taken.add(i);
          double total = family.squaredNorm(taken);
          assertThat(before).isCloseTo(growth.bound(), within(ROUNDING * total));
          check(family, taken, rank, growth.bound(), growth.lowerBound(), growth.total());
        }
      }
    }
  }

  private static void check(
      Family family, List<Integer> taken, int rank, double upper, double lower, double total) {
    double norm = family.squaredNorm(taken);
    double truth = family.squaredError(taken, rank);
    assertThat(total).isCloseTo(norm, within(ROUNDING * norm));
    assertThat(upper).isGreaterThanOrEqualTo(truth - ROUNDING * norm);
    assertThat(lower).isLessThanOrEqualTo(truth + ROUNDING * norm);
  }

  @Test
  void largestSingularValuesBoundTheError() {
    bounds((family, rank) -> new MaxNormGrowth(head(family, Integer.MAX_VALUE), rank));
  }

  @Test
  void residualsBoundTheError() {
    bounds((family, rank) -> new ResidualGrowth(algebra, head(family, Integer.MAX_VALUE), rank));
  }

  @Test
  void truncatedSumsBoundTheErrorFromBothSides() {
    for (int oversampling : new int[] {0, 2}) {
      bounds(
          (family, rank) -> new TruncatedGrowth(algebra, head(family, rank + oversampling), rank));
    }
  }

  @Test
  void sumsOfResidualsAreBoundsWhereSingleOnesAreNot() {
    Family family = new Family(List.of(new double[][] {{1}, {0}}, new double[][] {{1}, {1}}));
    double[] values = Plain.singularValues(family.joined(List.of(0, 1)));
    assertThat(values[1]).isCloseTo((Math.sqrt(5) - 1) / 2, within(1e-12));
    try (ResidualGrowth growth = new ResidualGrowth(algebra, head(family, 2), 1)) {
      Member member = member(family, 1);
      growth.add(algebra, member, member.load(algebra));
      // s = {1, 1}: one of them is kept, and 2 of the energy of 3 is promised at most.
      assertThat(growth.bound()).isCloseTo(2, within(1e-12));
      assertThat(family.squaredError(List.of(0, 1), 1)).isLessThan(2);
    }
  }

  @Test
  void aHeadWiderThanTheRankIsNotTakenForCaptured() {
    Family family = new Family(List.<double[][]>of(Plain.random(64, 40, 7)));
    double truth = family.squaredError(List.of(0), 8);
    double norm = family.squaredNorm(List.of(0));
    assertThat(Math.sqrt(truth / norm)).isBetween(0.7, 0.8);
    try (MaxNormGrowth growth = new MaxNormGrowth(head(family, Integer.MAX_VALUE), 8)) {
      assertThat(growth.bound()).isCloseTo(truth, within(1e-9 * norm));
    }
  }

  /** τ² = Σλ + what was dropped; nothing is lost where there is room. */
  @Test
  void everyUnitOfEnergyIsAccountedFor() {
    for (int seed = 0; seed < FAMILIES; seed++) {
      Family family = Family.random(seed);
      int limit = new SplittableRandom(seed).nextInt(1, family.rows() + 4);
      List<Integer> taken = new ArrayList<>();
      TruncatedSum sum = TruncatedSum.empty(algebra, limit);
      for (int i = 0; i < family.blocks().size(); i++) {
        Member member = member(family, i);
        try (TruncatedSum before = sum) {
          sum = before.plus(algebra, member.load(algebra), member.squaredNorm());
        }
        taken.add(i);
        double norm = family.squaredNorm(taken);
        double kept = sum.estimate(0) - sum.estimate(limit);
        assertThat(kept + sum.discarded()).isCloseTo(norm, within(ROUNDING * norm));
        if (limit >= family.rows()) {
          double truth = family.squaredError(taken, 1);
          assertThat(sum.estimate(1)).isCloseTo(truth, within(ROUNDING * norm));
        }
        checkBasis(sum);
      }
      sum.close();
    }
  }

  private static void checkBasis(TruncatedSum sum) {
    sum.basis()
        .ifPresent(
            basis -> {
              double[][] q = Plain.rows(basis.toDoubles(), basis.cols());
              double[][] products = Plain.multiply(Plain.transpose(q), q);
              for (int i = 0; i < products.length; i++) {
                products[i][i] -= 1;
              }
              assertThat(Plain.frobenius(products)).isLessThan(1e-12);
            });
  }
}
