//! Blocks of commands in Markdown.

/// The blocks of a language, without their fences.
pub(crate) fn blocks(text: &'static str, language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let starts = text.split(fence.as_str()).skip(1);
    let blocks = starts.filter_map(|it| Some(it.split_once("```")?.0));
    blocks.collect()
}
