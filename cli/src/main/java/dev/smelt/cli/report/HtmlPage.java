package dev.smelt.cli.report;

import java.util.List;

/** What all pages share: head with style and content policy, notes, commands, script. */
final class HtmlPage {

  private static final String STYLE = Resources.text("report.css");
  private static final String SCRIPT = Resources.text("report.js");

  private HtmlPage() {}

  /** Everything before the content of {@code main}. */
  static void open(Markup html, String title) {
    String policy =
        "default-src 'none'; img-src data:; style-src "
            + Resources.contentHash(STYLE)
            + "; script-src "
            + Resources.contentHash(SCRIPT);
    html.raw("<!DOCTYPE html>\n").open("html", "lang", "en");
    html.open("head").empty("meta", "charset", "utf-8");
    html.empty("meta", "http-equiv", "Content-Security-Policy", "content", policy);
    html.empty("meta", "name", "viewport", "content", "width=device-width, initial-scale=1");
    html.empty("meta", "name", "color-scheme", "content", "light dark");
    html.empty("link", "rel", "icon", "href", "data:,");
    html.leaf("title", title);
    html.open("style").raw(STYLE).close().closeLine();
    html.open("body").open("main").raw("\n");
  }

  /** Everything after it. */
  static String close(Markup html) {
    html.close().open("div", "id", "tip", "role", "status", "hidden", "hidden").close();
    html.open("script").raw(SCRIPT).close();
    return html.close().closeLine().toString();
  }

  static void notes(Markup html, List<String> notes) {
    html.open("ul", "class", "notes");
    notes.forEach(note -> html.leaf("li", note));
    html.close();
  }

  static void commands(Markup html, List<String> commands) {
    html.open("div", "class", "commands");
    html.leaf("button", "Copy", "type", "button", "id", "copy", "hidden", "hidden");
    html.open("pre", "id", "commands", "tabindex", "0");
    html.text(String.join("\n", commands)).close().close();
  }
}
