package dev.smelt.cli.report;

public final class MarkdownReport {
  private MarkdownReport() {}

  public static String render(DiffReport report) {
    return report.toString();
  }
}
