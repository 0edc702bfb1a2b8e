package dev.smelt.cli.report;

public final class HtmlReport {
  private HtmlReport() {}

  public static String render(DiffReport report) {
    return report.toString();
  }
}
