"""Words that names of artists, albums and tracks are made of."""

Lists = list[tuple[list[str], list[str]]]
"""Pairs of lists: a name is a word of the first and one of the second."""

BANDS: dict[str, Lists] = {
    "Rock": [
        (["Silver", "Hollow", "Paper", "Velvet", "Northern", "Broken", "Amber", "Falling", "Crooked",
          "Lonesome", "Painted", "Distant", "Copper", "Restless", "Sleeping", "Gravel", "Marble", "Tidal",
          "Blind", "Wandering"],
         ["Lanterns", "Foxes", "Satellites", "Wolves", "Engines", "Kites", "Saints", "Drifters", "Pilots",
          "Mirrors", "Harbours", "Sparrows", "Tramways", "Outlaws", "Giants", "Seasons"]),
    ],
    "Rock And Roll": [
        (["Rocking", "Midnight", "Lucky", "Swinging", "Downtown", "Golden", "Boardwalk", "Cherry"],
         ["Rebels", "Comets", "Diamonds", "Hounds", "Wildcats", "Jukeboxes", "Thunderbirds"]),
    ],
    "Metal": [
        (["Iron", "Black", "Ashen", "Crimson", "Fallen", "Obsidian", "Grave", "Pale", "Winter", "Molten",
          "Dread", "Storm", "Blood", "Rune", "Hell", "Frost"],
         ["Throne", "Covenant", "Serpent", "Crown", "Reaper", "Monolith", "Ritual", "Legion", "Oath",
          "Dominion", "Hammer", "Gate", "Warden", "Pyre"]),
    ],
    "Alternative & Punk": [
        (["Cheap", "Plastic", "Suburban", "Nervous", "Rotten", "Spare", "Wasted", "Second-Hand", "Static",
          "Concrete", "Awkward", "Unpaid", "Electric", "Bitter", "Polite", "Basement"],
         ["Teenagers", "Neighbours", "Headlines", "Payphones", "Curfews", "Sirens", "Excuses", "Orphans",
          "Weekends", "Heroes", "Strangers", "Riots", "Tenants", "Cartoons"]),
    ],
    "Electronica/Dance": [
        (["Neon", "Analog", "Mono", "Lunar", "Solar", "Vector", "Infra", "Phase", "Night", "Echo", "Polar"],
         ["Circuit", "District", "Signal", "Transit", "Cascade", "Theory", "Drift", "Parallel", "Pulse",
          "Garden"]),
    ],
    "Classical": [
        (["Leipzig", "Rotterdam", "Oslo", "Lyon", "Turin", "Boston", "Cleveland", "Prague", "Helsinki",
          "Porto", "Vienna", "Salzburg", "Bergen", "Ghent", "Basel", "Bristol", "Dresden", "Verona",
          "Krakow", "Toronto"],
         ["Philharmonic", "Symphony Orchestra", "Chamber Orchestra", "String Quartet", "Radio Orchestra",
          "Sinfonietta", "Baroque Ensemble", "Festival Orchestra", "Piano Trio", "Chamber Players",
          "Wind Quintet"]),
    ],
}  # fmt: skip

STAGES = ["Boston", "Oslo", "Prague", "Chicago", "Turin", "Leipzig", "Porto", "Bergen", "Lyon"]
"""Where live albums were recorded."""

TITLES: dict[str, Lists] = {
    "rock": [
        (["Midnight", "Golden", "Electric", "Wild", "Broken", "Lonely", "Last", "Summer", "Burning",
          "Paper", "Lost"],
         ["Train", "Rain", "Highway", "Sunday", "Fire", "Stranger", "Letters", "Thunder", "Hotel",
          "Radio"]),
        (["Waiting for", "Back to", "Running from", "Love and", "Nothing but", "Long Way to", "Heart of"],
         ["the River", "the City", "Yesterday", "Paradise", "Gasoline", "the Border", "Your Shadow"]),
    ],
    "hard": [
        (["Black", "Eternal", "Iron", "Silent", "Frozen", "Unholy", "Crimson", "Final"],
         ["Steel", "Winter", "Prophecy", "Ruin", "Serpent", "Oblivion", "Storm", "Legion", "Requiem"]),
        (["Throne of", "Winds of", "Beneath", "March of", "Lords of", "Wrath of", "Into", "Ashes of"],
         ["the Abyss", "the Fallen", "the North", "Kings", "Doom", "the Deep", "the Machine"]),
    ],
    "sung": [
        (["Sweet", "Slow", "Crazy", "Lonely", "Lovesick", "Summer", "Secret", "Perfect", "Sugar"],
         ["Honey", "Tomorrow", "Heart", "Trouble", "Sunshine", "Feeling", "Summer Night", "Stranger"]),
        (["Dancing in", "Love in", "All About", "Stay for", "Call Me in", "One More for", "Lovers in",
          "Dreaming of"],
         ["the Dark", "the Moonlight", "the Morning", "the Weekend", "My City", "the Rain"]),
    ],
    "portuguese": [
        (["Samba de", "Noites de", "Saudade de", "Flor de", "Cantiga de", "Lua de", "Manhã de", "Chuva de",
          "Roda de"],
         ["Verão", "Carnaval", "Amor", "Abril", "Madrugada", "Ipanema", "Setembro", "Domingo", "Areia",
          "Prata"]),
    ],
    "spanish": [
        (["Noches de", "Corazón de", "Canción de", "Tierra de", "Flor de", "Lluvia de", "Ojos de",
          "Camino de"],
         ["Fuego", "Luna", "Abril", "Cristal", "Miel", "Arena", "Verano", "Plata", "Sal", "Medianoche",
          "Azúcar"]),
    ],
    "swinging": [
        (["Blues for", "Waltz for", "Lament for", "One for", "Letter to", "Ballad for", "Love Song for"],
         ["Delilah", "Lester", "Ruby", "Mr. Brown", "Sister Rose", "the Ferryman", "Autumn", "My Old Man"]),
        (["After Hours at", "Stompin' at", "Midnight on", "Walking Down", "Rainy Day on", "Last Call on"],
         ["Basin Street", "the Corner", "Seventh Avenue", "the Delta", "the Waterfront", "Maple Street"]),
    ],
}  # fmt: skip

WORKS = [
    ("Johann Sebastian Bach", "Brandenburg Concerto No. 3 in G major, BWV 1048", ["I. Allegro",
     "II. Adagio", "III. Allegro"]),
    ("Johann Sebastian Bach", "Orchestral Suite No. 3 in D major, BWV 1068", ["I. Ouverture", "II. Air",
     "III. Gavotte", "IV. Bourrée", "V. Gigue"]),
    ("Antonio Vivaldi", "The Four Seasons, Spring, RV 269", ["I. Allegro", "II. Largo",
     "III. Allegro pastorale"]),
    ("Antonio Vivaldi", "The Four Seasons, Winter, RV 297", ["I. Allegro non molto", "II. Largo",
     "III. Allegro"]),
    ("Wolfgang Amadeus Mozart", "Eine kleine Nachtmusik, K. 525", ["I. Allegro", "II. Romanze: Andante",
     "III. Menuetto: Allegretto", "IV. Rondo: Allegro"]),
    ("Wolfgang Amadeus Mozart", "Symphony No. 40 in G minor, K. 550", ["I. Molto allegro", "II. Andante",
     "III. Menuetto: Allegretto", "IV. Allegro assai"]),
    ("Ludwig van Beethoven", "Symphony No. 5 in C minor, Op. 67", ["I. Allegro con brio",
     "II. Andante con moto", "III. Scherzo: Allegro", "IV. Allegro"]),
    ("Ludwig van Beethoven", "Symphony No. 7 in A major, Op. 92", ["I. Poco sostenuto - Vivace",
     "II. Allegretto", "III. Presto", "IV. Allegro con brio"]),
    ("Franz Schubert", "Symphony No. 8 in B minor, D. 759", ["I. Allegro moderato",
     "II. Andante con moto"]),
    ("Johannes Brahms", "Symphony No. 4 in E minor, Op. 98", ["I. Allegro non troppo",
     "II. Andante moderato", "III. Allegro giocoso", "IV. Allegro energico e passionato"]),
    ("Antonín Dvořák", "Symphony No. 9 in E minor, Op. 95", ["I. Adagio - Allegro molto", "II. Largo",
     "III. Molto vivace", "IV. Allegro con fuoco"]),
    ("Edvard Grieg", "Peer Gynt Suite No. 1, Op. 46", ["I. Morning Mood", "II. The Death of Åse",
     "III. Anitra's Dance", "IV. In the Hall of the Mountain King"]),
    ("Pyotr Ilyich Tchaikovsky", "Serenade for Strings in C major, Op. 48", [
     "I. Pezzo in forma di sonatina", "II. Valse", "III. Élégie", "IV. Finale"]),
    ("Claude Debussy", "Suite bergamasque, L. 75", ["I. Prélude", "II. Menuet", "III. Clair de lune",
     "IV. Passepied"]),
]  # fmt: skip
"""Works with their movements, as they stand on a classical record."""
