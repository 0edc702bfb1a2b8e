package dev.smelt.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.cli.report.SpectrumReport.Matrix;
import dev.smelt.cli.report.SpectrumReport.Point;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;

class SpectrumPageTest {

  private static Matrix matrix(String name, double energyAtHalf, double condition) {
    return new Matrix(
        name,
        "[4,4]",
        4,
        2,
        1.5,
        2.2,
        1.125,
        condition,
        List.of(new Point(0.25, 1, energyAtHalf / 2), new Point(0.5, 1, energyAtHalf)),
        List.of(new Point(1, 2, 0.9)),
        List.of(new Point(0, 0, 0), new Point(0.5, 1, energyAtHalf), new Point(1, 2, 0.95)));
  }

  private static final SpectrumReport REPORT =
      new SpectrumReport(
          "small <b>",
          "models/small",
          "base",
          List.of(
              matrix("h.0.attn.weight", 0.5, 12),
              matrix("h.0.mlp.weight", 0.75, Double.POSITIVE_INFINITY),
              matrix("h.1.attn.weight", 0.625, 3)),
          List.of("smelt inspect models/small --spectrum"));

  @Test
  void aCurveForEachMatrixInTheColourOfItsKind() throws Exception {
    Page page = Page.parse(SpectrumPlot.of(REPORT.matrices()).toString());
    List<Element> curves = page.all("//path[starts-with(@class, 'curve')]");
    assertThat(curves)
        .extracting(curve -> curve.getAttribute("class"))
        .containsExactly("curve k0", "curve k1", "curve k0");
    assertThat(page.texts("//title")).element(1).asString().contains("h.0.mlp.weight", "75.0 %");
    // More energy at the same size is further up.
    assertThat(height(curves.get(1))).isLessThan(height(curves.get(2)));
    assertThat(height(curves.get(2))).isLessThan(height(curves.get(0)));
  }

  /** y of the second point of a curve. */
  private static double height(Element curve) {
    return Double.parseDouble(curve.getAttribute("d").split("L", -1)[1].split(" ", -1)[1]);
  }

  @Test
  void thePageHasTableCardsAndLegend() throws Exception {
    Page page = Page.parse(SpectrumPage.render(REPORT).replace("<!DOCTYPE html>\n", ""));
    assertThat(page.texts("//h1/span")).containsExactly("small <b>");
    assertThat(page.texts("//p[@class='lead']")).containsExactly("3 matrices, as changes of base.");
    assertThat(page.texts("//figure//li")).containsExactly(" attn.weight", " mlp.weight");
    assertThat(page.texts("//tbody/tr[2]/td"))
        .containsExactly("[4,4]", "2.2", "1.1", "∞", "37.5 %", "75.0 %", "2");
    assertThat(page.texts("//div[@class='card']/p[@class='now']"))
        .containsExactly("55 %", "28.1 %", "62.5 %", "50.0 %");
    assertThat(page.texts("//pre")).containsExactly("smelt inspect models/small --spectrum");
    assertThat(SpectrumPage.render(REPORT)).isEqualTo(SpectrumPage.render(REPORT));
  }

  @Test
  void markdownHasTheSameTable() {
    assertThat(SpectrumMarkdown.render(REPORT))
        .contains("### Spectra of `small <b>`")
        .contains("| `h.0.mlp.weight` | &#91;4,4&#93; | 2.2 | 1.1 | ∞ | 37.5 % | 75.0 % | 2 |");
  }
}
