package dev.smelt.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.cli.report.DiffReport.TensorDiff;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class HtmlReportTest {

  private static final List<DiffReport> ALL =
      List.of(Samples.gpt2(), Samples.withoutData(), Samples.deep(), Samples.hostile());

  @Test
  void everyPageIsWellFormed() throws Exception {
    for (DiffReport report : ALL) {
      Page page = Page.parse(HtmlReport.render(report));
      assertThat(page.all("//h1")).hasSize(1);
      assertThat(page.all("//script")).hasSize(1);
      assertThat(page.all("//*[@style or @onclick or @onload]")).isEmpty();
    }
  }

  @Test
  void nothingIsLoaded() {
    for (DiffReport report : ALL) {
      String html = HtmlReport.render(report);
      assertThat(html).doesNotContain("http://", "https://", "src=", "@import", "url(", "fetch(");
      assertThat(html).contains("default-src &#39;none&#39;; ").containsOnlyOnce("href=");
    }
  }

  @Test
  void hostileNamesAreShownNotObeyed() throws Exception {
    String html = HtmlReport.render(Samples.hostile());
    assertThat(html).doesNotContain("<script>alert", "\u202E", "\u001B");
    String shown = Samples.HOSTILE.replace('\u202E', '\uFFFD').replace('\u001B', '\uFFFD');
    assertThat(Page.parse(html).texts("//table[@id='tensors']/tbody/tr/th"))
        .containsExactly(shown, "a." + shown, "h.0." + shown, "h.1." + shown);
  }

  @Test
  void everyModelIsInBothPlotsOnce() throws Exception {
    Page page = Page.parse(HtmlReport.render(Samples.gpt2()));
    for (String plot : List.of("accuracy", "loss")) {
      String svg = "//*[@aria-label='" + plot + " against size']";
      assertThat(page.texts(svg + "//*[@class='label']"))
          .containsExactlyInAnyOrderElementsOf(
              ModelTable.models(Samples.gpt2()).stream().map(DiffReport.Model::name).toList());
      assertThat(page.all(svg + "//*[contains(@class, 'mark')]/title")).hasSize(5);
    }
  }

  @Test
  void everyChangedTensorHasOneMark() throws Exception {
    for (DiffReport report : List.of(Samples.gpt2(), Samples.deep())) {
      Page page = Page.parse(HtmlReport.render(report));
      List<String> changed =
          TensorSummary.of(report.tensors()).different().stream().map(TensorDiff::name).toList();
      assertThat(page.texts("//*[contains(@class, 'errors')]//title"))
          .extracting(title -> title.lines().findFirst().orElseThrow())
          .containsExactlyElementsOf(changed);
      assertThat(page.all("//table[@id='tensors']/tbody/tr")).hasSameSizeAs(report.tensors());
    }
  }

  @Test
  void numbersAreThoseOfTheInput() throws Exception {
    Page page = Page.parse(HtmlReport.render(Samples.gpt2()));
    assertThat(page.texts("//p[@class='now']"))
        .containsExactly("2.0 MB", "987.3 k", "1.7381", "5.69", "48.71 %", "3,039");
    assertThat(page.texts("//p[@class='was']"))
        .containsExactly(
            "was 3.8 MB", "was 1.88 M", "was 1.7499", "was 5.75", "was 48.15 %", "was 1,597");
    assertThat(page.texts("//p[contains(@class, 'chip')]"))
        .containsExactly(
            "47.4 % smaller",
            "47.4 % fewer", "−0.0118 better", "−0.07 better", "+0.55 pp better", "90.2 % faster");
    assertThat(page.texts("//table[@class='models']//tr[@class='after']/td"))
        .startsWith("2.0 MB−47.4 %", "987,264−47.4 %", "1.7381−0.0118")
        .endsWith("1.6810−0.0925", "5.37−0.52", "50.30 %+2.74 pp", "3,039+90.2 %");
    assertThat(page.texts("//table[@id='tensors']/tbody/tr[7]/*"))
        .containsExactly(
            "transformer.h.0.attn.c_attn.weight",
            "192 × 576",
            "0.3831",
            "72",
            "221.2 kB",
            "110.6 kB");
  }

  @Test
  void withoutDataASentenceStandsForThePlots() throws Exception {
    Page page = Page.parse(HtmlReport.render(Samples.withoutData()));
    assertThat(page.all("//*[contains(@class, 'scatter')]")).isEmpty();
    assertThat(page.texts("//section[h2='Accuracy against size']/p").getFirst()).contains("--data");
    assertThat(page.texts("//p[@class='now']")).hasSize(2);
  }

  @Test
  void commandsAndHashesAreGiven() throws Exception {
    Page page = Page.parse(HtmlReport.render(Samples.gpt2()));
    assertThat(page.texts("//pre").getFirst().lines())
        .containsExactlyElementsOf(Samples.gpt2().commands());
    assertThat(page.texts("//table[@class='sources']/tbody/tr/td[2]"))
        .containsExactlyElementsOf(
            ModelTable.models(Samples.gpt2()).stream().map(DiffReport.Model::sha256).toList());
  }

  @Test
  void theSameReportGivesTheSameBytes() {
    for (DiffReport report : ALL) {
      assertThat(HtmlReport.render(report)).isEqualTo(HtmlReport.render(report));
    }
    assertThat(HtmlReport.render(Samples.gpt2()))
        .doesNotContainPattern(Pattern.compile("20\\d\\d-\\d\\d"));
  }
}
