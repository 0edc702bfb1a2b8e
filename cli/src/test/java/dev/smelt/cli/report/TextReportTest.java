package dev.smelt.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.cli.report.DiffReport.TensorDiff;
import dev.smelt.cli.text.Columns;
import java.util.List;
import org.junit.jupiter.api.Test;

class TextReportTest {

  @Test
  void noLineIsWiderThanTheTerminal() {
    for (DiffReport report : List.of(Samples.gpt2(), Samples.withoutData(), Samples.hostile())) {
      for (int width = TextReport.LEAST_WIDTH; width <= 200; width++) {
        for (String line : TextReport.render(report, width, false).split("\n", -1)) {
          assertThat(Columns.width(line)).as("%d: %s", width, line).isLessThanOrEqualTo(width);
        }
      }
    }
  }

  @Test
  void colourAddsNothingButColour() {
    for (int width = TextReport.LEAST_WIDTH; width <= 200; width += 7) {
      String coloured = TextReport.render(Samples.gpt2(), width, true);
      assertThat(coloured).contains("\u001B[32m").contains("\u001B[31m");
      assertThat(coloured.replaceAll("\u001B\\[\\d*m", ""))
          .isEqualTo(TextReport.render(Samples.gpt2(), width, false));
    }
  }

  @Test
  void withoutColourNoEscapeIsWritten() {
    String text =
        TextReport.render(Samples.gpt2(), 80, false)
            + TextReport.render(Samples.hostile(), 80, false);
    assertThat(text).doesNotContain("\u001B", "\u202E", "\r");
  }

  @Test
  void showsTheNumbersAndTheirChange() {
    String text = TextReport.render(Samples.gpt2(), 120, false);
    assertThat(line(text, "gpt2-drama  "))
        .containsSequence("gpt2-drama", "3.8", "MB", "1,878,144", "1.7499", "5.75", "48.15", "%");
    assertThat(line(text, "fisher-keep-0.5  "))
        .containsSequence("2.0", "MB", "-47.4", "%", "987,264", "-47.4", "%")
        .containsSequence("1.7381", "-0.0118", "5.69", "-0.07", "48.71", "%", "+0.55", "pp");
    assertThat(line(text.substring(text.indexOf("on scripture.val.txt")), "gpt2-scripture  "))
        .containsSequence("1.5825", "-0.1910")
        .containsSequence("52.96", "%", "+5.40", "pp");
  }

  @Test
  void listsWhatChangedAndCountsTheRest() {
    String text = TextReport.render(Samples.gpt2(), 100, false);
    for (TensorDiff tensor : Samples.gpt2().tensors()) {
      if (tensor.status().equals("changed")) {
        assertThat(line(text, tensor.name() + " "))
            .containsSequence(tensor.shape(), TensorSummary.error(tensor), "" + tensor.rank());
      } else {
        assertThat(text).doesNotContain(tensor.name() + "  ");
      }
    }
    assertThat(text).contains("16 tensors changed.\n", "\n36 tensors are the same (217.3 kB).\n");
  }

  @Test
  void namesStayApartWhereTheyAreShortened() {
    List<String> names =
        List.of("transformer.h.0.attn.c_attn.weight", "transformer.h.10.attn.c_attn.weight");
    assertThat(Columns.shortenAll(names, 24))
        .containsExactly("…0.attn.c_attn.weight", "…10.attn.c_attn.weight");
    assertThat(Columns.shortenAll(names, 17)).containsExactly("…0…", "…10…");
    assertThat(Columns.shorten("transformer.wte.weight", 11)).isEqualTo("trans…eight");
    assertThat(Columns.shorten("漢字漢字", 5)).isEqualTo("漢…字");
  }

  @Test
  void withoutDataOnlySizesAreShown() {
    assertThat(TextReport.render(Samples.withoutData(), 80, false))
        .contains("\nsize\nmodel")
        .doesNotContain("loss", "accuracy", "perplexity", "null");
  }

  @Test
  void theSameReportGivesTheSameText() {
    assertThat(TextReport.render(Samples.gpt2(), 80, true))
        .isEqualTo(TextReport.render(Samples.gpt2(), 80, true));
  }

  /** The words of the first table line that starts so. */
  private static List<String> line(String text, String start) {
    String line = text.lines().filter(l -> l.startsWith(start)).findFirst().orElseThrow();
    return List.of(line.strip().split("\\s+", -1));
  }
}
