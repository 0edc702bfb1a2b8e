package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.Model;
import dev.smelt.cli.report.DiffReport.Score;
import dev.smelt.cli.report.Measure.Verdict;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * The models of a report as rows, what they were measured by as columns: first the overall numbers,
 * then, with several data sets, those of each.
 *
 * @param rows before, after, then the others
 */
record ModelTable(List<Section> sections, List<Row> rows) {

  ModelTable {
    sections = List.copyOf(sections);
    rows = List.copyOf(rows);
  }

  /** Columns that belong together; the title is empty for what does not depend on data. */
  record Section(String title, List<Measure> measures) {
    Section {
      measures = List.copyOf(measures);
    }
  }

  /**
   * One model.
   *
   * @param role "before", "after" or "also"
   * @param cells for each section a cell for each of its measures
   */
  record Row(String role, Model model, List<List<Cell>> cells) {
    Row {
      cells = List.copyOf(cells);
    }
  }

  /** A value and its change against before; both empty where it was not measured. */
  record Cell(String value, String change, Verdict verdict) {
    static final Cell EMPTY = new Cell("", "", Verdict.SAME);
  }

  static ModelTable of(DiffReport report) {
    List<Model> models = models(report);
    SequencedSet<String> data = dataSets(report);
    List<Measure> known = Measure.knownIn(models);
    List<Measure> fixed = known.stream().filter(m -> !Measure.OF_DATA.contains(m)).toList();
    List<Measure> measured = known.stream().filter(Measure.OF_DATA::contains).toList();

    List<Section> sections = new ArrayList<>();
    List<BiFunction<Measure, Model, @Nullable Double>> values = new ArrayList<>();
    sections.add(new Section("", fixed));
    values.add(Measure::of);
    if (!measured.isEmpty()) {
      sections.add(new Section(overall(data), measured));
      values.add(Measure::of);
    }
    if (data.size() > 1) {
      for (String set : data) {
        sections.add(new Section("on " + set, scored(models, set)));
        values.add((measure, model) -> ofScore(measure, score(model, set)));
      }
    }

    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < models.size(); i++) {
      List<List<Cell>> cells = new ArrayList<>();
      for (int s = 0; s < sections.size(); s++) {
        List<Cell> group = new ArrayList<>();
        for (Measure measure : sections.get(s).measures()) {
          Double reference = values.get(s).apply(measure, report.before());
          Double value = values.get(s).apply(measure, models.get(i));
          group.add(cell(measure, i == 0 ? null : reference, value));
        }
        cells.add(List.copyOf(group));
      }
      rows.add(new Row(i == 0 ? "before" : i == 1 ? "after" : "also", models.get(i), cells));
    }
    return new ModelTable(sections, rows);
  }

  /** Before, after, then the others. */
  static List<Model> models(DiffReport report) {
    List<Model> models = new ArrayList<>();
    models.add(report.before());
    models.add(report.after());
    models.addAll(report.also());
    return models;
  }

  /** In the order they are first met. */
  static SequencedSet<String> dataSets(DiffReport report) {
    SequencedSet<String> names = new LinkedHashSet<>();
    models(report).forEach(model -> model.scores().forEach(score -> names.add(score.data())));
    return names;
  }

  /** A cell without a change when there is no reference. */
  static Cell cell(Measure measure, @Nullable Double reference, @Nullable Double value) {
    if (value == null) {
      return Cell.EMPTY;
    }
    String shown = measure.format(value);
    return reference == null
        ? new Cell(shown, "", Verdict.SAME)
        : new Cell(shown, measure.change(reference, value), measure.verdict(reference, value));
  }

  /** What the overall numbers are of. */
  static String overall(SequencedSet<String> data) {
    return switch (data.size()) {
      case 0 -> "overall";
      case 1 -> "on " + data.getFirst();
      default -> "mean of " + data.size() + " data sets";
    };
  }

  private static List<Measure> scored(List<Model> models, String data) {
    return Measure.OF_DATA.stream()
        .filter(
            measure ->
                models.stream().anyMatch(model -> ofScore(measure, score(model, data)) != null))
        .toList();
  }

  private static @Nullable Double ofScore(Measure measure, @Nullable Score score) {
    return score == null ? null : measure.of(score);
  }

  private static @Nullable Score score(Model model, String data) {
    return model.scores().stream()
        .filter(score -> score.data().equals(data))
        .findFirst()
        .orElse(null);
  }
}
