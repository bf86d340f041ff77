//! Code as the mutations see it: tokens with their depth in brackets.

use std::ops::Range;

use super::token::{Kind, Token, tokenize};

const KEYWORDS: [&str; 14] = [
    "local", "function", "if", "elseif", "else", "then", "for", "while", "do", "repeat", "until", "end",
    "in", "goto",
];
const BINARY: [&str; 15] =
    ["and", "or", "==", "~=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "..", "="];

pub struct Code<'a> {
    pub source: &'a str,
    pub tokens: Vec<Token<'a>>,
    /// How many brackets are open before each token. A closing bracket is as deep as its opening one.
    depths: Vec<usize>,
}

impl<'a> Code<'a> {
    pub fn parse(source: &'a str) -> Self {
        let tokens = tokenize(source);
        let (mut depths, mut depth) = (Vec::new(), 0_usize);
        for token in &tokens {
            depth = depth.saturating_sub(usize::from(token.is_any_of(&[")", "]", "}"])));
            depths.push(depth);
            depth += usize::from(token.is_any_of(&["(", "[", "{"]));
        }
        Self { source, tokens, depths }
    }

    pub fn get(&self, index: usize) -> Option<&Token<'a>> {
        self.tokens.get(index)
    }

    pub fn before(&self, index: usize) -> Option<&Token<'a>> {
        self.tokens.get(index.checked_sub(1)?)
    }

    /// The text from one token to another one, both included.
    pub fn span(&self, first: usize, last: usize) -> Range<usize> {
        self.tokens[first].start..self.tokens[last].range().end
    }

    /// Finds the next of some tokens that is as deep as the given one.
    pub fn find_after(&self, index: usize, texts: &[&str]) -> Option<usize> {
        (index + 1..self.tokens.len())
            .find(|&next| self.depths[next] == self.depths[index] && self.tokens[next].is_any_of(texts))
    }

    /// The bracket that closes the given one.
    pub fn find_closing(&self, opening: usize) -> Option<usize> {
        self.find_after(opening, &[")", "]", "}"])
    }

    /// Whether an operator has an operand on its left.
    pub fn is_binary(&self, index: usize) -> bool {
        let has_operand = |token: &Token| {
            matches!(token.kind, Kind::Number | Kind::Text)
                || token.is_any_of(&[")", "]", "}"])
                || (token.kind == Kind::Word
                    && !is_keyword(token)
                    && !token.is_any_of(&["return", "and", "or", "not"]))
        };
        self.before(index).is_some_and(has_operand)
    }

    /// Whether a token is in the head of a function.
    pub fn is_parameter(&self, index: usize) -> bool {
        let opening = (0..index).rev().find(|&opening| self.depths[opening] < self.depths[index]);
        opening.is_some_and(|opening| self.before(opening - 1).is_some_and(|token| token.is("function")))
    }

    /// The last token of a statement that begins with the given one.
    pub fn find_statement_end(&self, first: usize) -> usize {
        let ends_before = |next: usize| {
            let (token, before) = (&self.tokens[next], &self.tokens[next - 1]);
            self.depths[next] == self.depths[first]
                && (token.is_any_of(&["end", "else", "elseif", "until"])
                    || (self.begins_line(next)
                        && !token.is_any_of(&BINARY)
                        && !before.is_any_of(&BINARY)
                        && !before.is_any_of(&[","])))
        };
        let next = (first + 1..self.tokens.len()).find(|&next| ends_before(next));
        next.unwrap_or(self.tokens.len()) - 1
    }

    /// Whether a token begins a statement that is an assignment, a call or a return.
    pub fn begins_statement(&self, index: usize) -> bool {
        let (token, before) = (&self.tokens[index], self.before(index));
        token.kind == Kind::Word
            && !is_keyword(token)
            && self.depths[index] == 0
            && self.begins_line(index)
            && !token.is_any_of(&BINARY)
            && before.is_none_or(|before| !before.is_any_of(&BINARY) && !before.is(","))
    }

    /// The last token of an operand that begins with the given one. `closers` are the operators that end the operand.
    pub fn find_operand_end(&self, first: usize, closers: &[&str]) -> usize {
        let statement_end = self.find_statement_end(first);
        let ends_before = |next: usize| {
            let (token, depth) = (&self.tokens[next], self.depths[next]);
            depth < self.depths[first]
                || (depth == self.depths[first]
                    && (token.is_any_of(closers) || token.is(",") || is_keyword(token)))
        };
        (first + 1..=statement_end).find(|&next| ends_before(next)).unwrap_or(statement_end + 1) - 1
    }

    /// The first token of an operand that ends with the given one.
    pub fn find_operand_start(&self, last: usize, openers: &[&str]) -> usize {
        let begins_after = |index: usize| {
            let (token, depth) = (&self.tokens[index], self.depths[index]);
            depth < self.depths[last]
                || (depth == self.depths[last]
                    && (token.is_any_of(openers)
                        || token.is_any_of(&[",", "=", "return"])
                        || is_keyword(token)))
        };
        (0..last).rev().find(|&index| begins_after(index)).map_or(0, |index| index + 1)
    }

    fn begins_line(&self, index: usize) -> bool {
        let end = index.checked_sub(1).map_or(0, |before| self.tokens[before].range().end);
        index == 0 || self.source[end..self.tokens[index].start].contains('\n')
    }
}

fn is_keyword(token: &Token) -> bool {
    token.kind == Kind::Word && token.is_any_of(&KEYWORDS)
}
