package dev.smelt.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class MarkdownReportTest {

  @Test
  void everyRowOfATableHasAsManyCellsAsItsHeading() {
    for (DiffReport report : List.of(Samples.gpt2(), Samples.withoutData(), Samples.hostile())) {
      int bars = 0;
      boolean fenced = false;
      for (String line : MarkdownReport.render(report).split("\n", -1)) {
        fenced ^= line.startsWith("```");
        if (fenced || !line.startsWith("|")) {
          bars = 0;
          continue;
        }
        int count = line.length() - line.replace("|", "").length();
        assertThat(count).as(line).isEqualTo(bars == 0 ? count : bars);
        bars = count;
      }
    }
  }

  @Test
  void hostileNamesMakeNoMarkup() {
    String text = MarkdownReport.render(Samples.hostile());
    String unfenced = text.replaceAll("(?s)````sh\n.*?````\n", "");
    assertThat(unfenced).isNotEqualTo(text).doesNotContain("<script", "\u202E", "\u001B", "](");
    assertThat(Markdown.code("a|b")).isEqualTo("<code>a&#124;b</code>");
    assertThat(Markdown.code("h.0.c_attn")).isEqualTo("`h.0.c_attn`");
    assertThat(Markdown.text("_a_ c_attn 🫠 *b*")).isEqualTo("&#95;a&#95; c_attn 🫠 &#42;b&#42;");
  }

  @Test
  void commandsCannotCloseTheirFence() {
    assertThat(Markdown.fenced("a ``` b ````")).startsWith("`````sh\n").endsWith("\n`````\n");
  }

  @Test
  void showsTheNumbersAndFoldsTheTensors() {
    String text = MarkdownReport.render(Samples.gpt2());
    assertThat(text)
        .startsWith("### `gpt2-drama` → `fisher-keep-0.5`\n")
        .contains("| `fisher-keep-0.5` (after) | 2.0 MB | -47.4 % | 987,264 | -47.4 % |\n")
        .contains(
            "| `fisher-keep-0.5` (after) | 1.7381 | -0.0118 | 5.69 | -0.07 | 48.71 % | +0.55 pp |")
        .contains("16 tensors changed. 36 tensors are the same (217.3 kB).\n")
        .contains(
            "| `transformer.h.0.attn.c_attn.weight` | &#91;192,576&#93; | 0.3831 | 72"
                + " | 221.2 kB | 110.6 kB |\n")
        .contains("- lm_head.weight is tied to transformer.wte.weight")
        .contains(Samples.gpt2().commands())
        .contains(Samples.gpt2().after().sha256());
    assertThat(text.split("<details>", -1)).hasSameSizeAs(text.split("</details>", -1)).hasSize(3);
    assertThat(text).isEqualTo(MarkdownReport.render(Samples.gpt2()));
  }
}
