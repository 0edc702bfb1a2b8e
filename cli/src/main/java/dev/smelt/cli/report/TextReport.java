package dev.smelt.cli.report;

public final class TextReport {
  private TextReport() {}

  public static String render(DiffReport report, int width, boolean colour) {
    return report.toString();
  }
}
