package dev.smelt.merge.search;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

class CandidatesTest {

  @Test
  void ofTwoModelsTheyAreAGrid() {
    assertThat(Candidates.of(2, 5, 7))
        .containsExactly(
            List.of(1.0, 0.0),
            List.of(0.75, 0.25),
            List.of(0.5, 0.5),
            List.of(0.25, 0.75),
            List.of(0.0, 1.0));
    assertThat(Candidates.of(2, 2, 7)).containsExactly(List.of(1.0, 0.0), List.of(0.0, 1.0));
  }

  @Test
  void ofMoreTheyBeginWithEqualOnes() {
    assertThat(Candidates.of(4, 2, 1).getFirst()).containsExactly(1.0, 1.0, 1.0, 1.0);
  }

  /** Of Dirichlet(1, 1, 1) each share has the mean 1/3 and the variance 1/18. */
  @Test
  void drawsAreEvenOverTheSimplex() {
    List<List<Double>> all = Candidates.of(3, 4001, 5);
    for (int model = 0; model < 3; model++) {
      int i = model;
      double mean = all.stream().skip(1).mapToDouble(w -> w.get(i)).sum() / 4000;
      double square = all.stream().skip(1).mapToDouble(w -> w.get(i) * w.get(i)).sum() / 4000;
      // Five standard errors: 5·√(1/18/4000), and of the squares 5·√(1/15 − 1/36)/√4000.
      assertThat(mean).isCloseTo(1.0 / 3, within(0.019));
      assertThat(square).isCloseTo(1.0 / 6, within(0.016));
    }
    assertThat(all.subList(1, all.size()))
        .allSatisfy(
            weights ->
                assertThat(weights.stream().mapToDouble(Double::doubleValue).sum())
                    .isCloseTo(1, within(1e-12)))
        .allSatisfy(weights -> assertThat(weights).allMatch(weight -> weight >= 0));
  }

  @Test
  void aSeedAlwaysGivesTheSame() {
    assertThat(Candidates.of(3, 10, 5)).isEqualTo(Candidates.of(3, 10, 5));
    assertThat(Candidates.of(3, 10, 5)).isNotEqualTo(Candidates.of(3, 10, 6));
    // More of them begin with the same.
    assertThat(Candidates.of(3, 20, 5).subList(0, 10)).isEqualTo(Candidates.of(3, 10, 5));
  }

  @Test
  void oneIsNoSearch() {
    assertThatThrownBy(() -> Candidates.of(2, 1, 0)).isInstanceOf(IllegalArgumentException.class);
  }
}
