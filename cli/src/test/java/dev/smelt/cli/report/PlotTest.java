package dev.smelt.cli.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.cli.report.DiffReport.Model;
import dev.smelt.cli.report.LabelPlacer.Box;
import dev.smelt.cli.report.LabelPlacer.Place;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;

class PlotTest {

  @Test
  void widerBarsAreLargerErrors() throws Exception {
    Page page = Page.parse(Objects.requireNonNull(ErrorPlot.of(Samples.tensors(4))).toString());
    List<Element> bars = page.all("//rect[@class='bar']");
    List<String> figures = page.texts("//text[@class='figure'][1]");
    assertThat(bars).hasSize(16);
    double unit = number(bars.getFirst(), "width") / Double.parseDouble(figures.getFirst());
    for (int i = 0; i < bars.size(); i++) {
      assertThat(number(bars.get(i), "width"))
          .isCloseTo(unit * Double.parseDouble(figures.get(i)), within(0.1));
    }
  }

  @Test
  void higherAccuracyIsHigherAndLargerSizeIsFurtherRight() throws Exception {
    List<Model> models = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      models.add(model("m" + i, 1_000_000 + 300_000 * i, 0.3 + 0.05 * i));
    }
    Page page = Page.parse(Objects.requireNonNull(plot(models, Measure.ACCURACY)).toString());
    // Drawn from the last model to the first.
    List<double[]> at =
        page.all("//path[@class='dot']").reversed().stream().map(PlotTest::at).toList();
    assertThat(at).hasSize(8);
    for (int i = 1; i < at.size(); i++) {
      assertThat(at.get(i)[0]).isGreaterThan(at.get(i - 1)[0]);
      assertThat(at.get(i)[1]).isLessThan(at.get(i - 1)[1]);
    }
  }

  @Test
  void theFrontierIsWhatNothingBeats() throws Exception {
    List<Model> models =
        List.of(
            model("large and best", 4_000_000, 0.5),
            model("small and good", 2_000_000, 0.45),
            model("beaten", 3_000_000, 0.44),
            model("beaten by a tie", 4_000_000, 0.49),
            model("smallest", 1_000_000, 0.2));
    assertThat(ParetoFrontier.of(models, Measure.ACCURACY))
        .extracting(Model::name)
        .containsExactly("large and best", "small and good", "smallest");
    Page page = Page.parse(Objects.requireNonNull(plot(models, Measure.ACCURACY)).toString());
    assertThat(page.texts("//g[contains(@class, 'best')]/*[@class='label']"))
        .containsExactly("smallest", "small and good", "large and best");
    assertThat(page.all("//path[@class='frontier']")).hasSize(1);
  }

  @Test
  void modelsThatWereNotMeasuredAreLeftOut() {
    assertThat(plot(List.of(model("a", 1, null), model("b", 2, Double.NaN)), Measure.ACCURACY))
        .isNull();
    assertThat(plot(List.of(model("a", 1, null), model("b", 2, 0.5)), Measure.ACCURACY))
        .isNotNull();
  }

  @Test
  void ticksAreRoundAndWithinTheRange() {
    SplittableRandom random = new SplittableRandom(7);
    for (int i = 0; i < 1_000; i++) {
      double min = random.nextDouble() * Math.pow(10, random.nextInt(-3, 9));
      double max = min + random.nextDouble() * Math.pow(10, random.nextInt(-3, 9));
      Axis axis = Axis.around(min, max, 0, 100, 5);
      assertThat(axis.ticks()).hasSizeBetween(2, 6).isSorted();
      assertThat(axis.low()).isLessThanOrEqualTo(min).isNotNegative();
      assertThat(axis.high()).isGreaterThan(max);
      assertThat(axis.ticks()).doesNotHaveDuplicates();
      assertThat(axis.ticks().stream().map(axis::label).toList()).doesNotHaveDuplicates();
    }
    assertThat(Axis.fromZero(0.5156, 0, 1, 4).ticks()).hasSize(4);
    assertThat(Axis.around(0, 0, 0, 100, 5).ticks()).isNotEmpty();
  }

  @Test
  void labelsNeverOverlap() {
    SplittableRandom random = new SplittableRandom(11);
    for (int n = 1; n < 40; n++) {
      LabelPlacer placer = new LabelPlacer(new Box(0, 0, 400, 300));
      List<Box> boxes = new ArrayList<>();
      for (int i = 0; i < n; i++) {
        Place place = placer.place(random.nextDouble(400), random.nextDouble(300), 60);
        if (place != null) {
          double left =
              switch (place.anchor()) {
                case "start" -> place.x();
                case "end" -> place.x() - 60;
                default -> place.x() - 30;
              };
          Box box = new Box(left, place.y() - 10, left + 60, place.y() + 2);
          assertThat(boxes).noneMatch(box::meets);
          boxes.add(box);
        }
      }
      assertThat(boxes).hasSizeGreaterThanOrEqualTo(Math.min(n, 10));
    }
  }

  @Test
  void everyMemberOfABasisHasOneCellInItsLayer() throws Exception {
    assertThat(SharingPlot.of(List.of())).isNull();
    Markup plot =
        SharingPlot.of(
            List.of(
                shared("smelt.basis.0", "h.0.attn", "h.10.attn", "h.2.attn"),
                shared("smelt.basis.1", "h.0.mlp", "h.2.mlp")));
    Page page = Page.parse(String.valueOf(plot));
    assertThat(page.texts("//*[@class='mark']/*[@class='inside']"))
        .containsExactly("0", "0", "0", "1", "1");
    assertThat(page.texts("//*[@class='label']")).containsExactly("attn", "mlp");
    List<Double> places =
        page.all("//*[@class='k0']").stream()
            .map(rect -> Double.parseDouble(rect.getAttribute("x")))
            .toList();
    // Layers in the order 0, 2, 10.
    assertThat(places.get(0)).isLessThan(places.get(2));
    assertThat(places.get(2)).isLessThan(places.get(1));
    assertThat(page.all("//*[@class='stripe']")).hasSize(6);
  }

  private static DiffReport.SharedBasis shared(String basis, String... members) {
    return new DiffReport.SharedBasis(basis, "input", List.of(members), 3, 0.1, 40, 20);
  }

  @Test
  void namesAreCutAtTheirLayer() {
    assertThat(TensorName.of("transformer.h.11.attn.c_attn.weight"))
        .isEqualTo(new TensorName("transformer.h.11", "attn.c_attn.weight", "attn.c_attn.weight"));
    assertThat(TensorName.of("model.layers.3.experts.7.w1.weight"))
        .isEqualTo(new TensorName("model.layers.3", "experts.*.w1.weight", "experts.7.w1.weight"));
    assertThat(TensorName.of("lm_head.weight"))
        .isEqualTo(new TensorName("", "lm_head.weight", "lm_head.weight"));
  }

  private static @Nullable Markup plot(List<Model> models, Measure measure) {
    List<Model> also = models.subList(2, models.size());
    return ScatterPlot.of(
        new DiffReport(models.get(0), models.get(1), also, List.of(), List.of(), List.of()),
        measure);
  }

  private static Model model(String name, long bytes, @Nullable Double accuracy) {
    return new Model(
        name, name, null, "", bytes, bytes / 2, null, null, null, accuracy, null, null, List.of());
  }

  private static double number(Element element, String attribute) {
    return Double.parseDouble(element.getAttribute(attribute));
  }

  /** Of "translate(x y)". */
  private static double[] at(Element element) {
    String[] parts = element.getAttribute("transform").split("[( )]", -1);
    return new double[] {Double.parseDouble(parts[1]), Double.parseDouble(parts[2])};
  }
}
